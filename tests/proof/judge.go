// Judges this project's trees and proofs by golang.org/x/mod/sumdb/tlog, the library of the Go checksum database.
//
// Reads one JSON object a line, each with leaves, sizes and proofs in base64, and answers each with what tlog finds:
// its own root and proofs, and whether it believes the ones it was given.
package main

import (
	"bufio"
	"encoding/json"
	"os"

	"golang.org/x/mod/sumdb/tlog"
)

type question struct {
	Leaves      [][]byte    // the bytes of every leaf
	Inclusion   []tlog.Hash // of Index in the whole tree
	Index       int64
	Consistency []tlog.Hash // from the first First leaves to the whole tree
	First       int64
	Root        tlog.Hash // of the whole tree
	FirstRoot   tlog.Hash
}

type answer struct {
	Root        tlog.Hash
	FirstRoot   tlog.Hash
	Inclusion   []tlog.Hash
	Consistency []tlog.Hash
	Included    string // empty: believed
	Continues   string
}

func judge(asked question) answer {
	size := int64(len(asked.Leaves))
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for at, index := range indexes {
			found[at] = stored[index]
		}
		return found, nil
	})
	for number, leaf := range asked.Leaves {
		hashes, err := tlog.StoredHashes(int64(number), leaf, reader)
		must(err)
		stored = append(stored, hashes...)
	}
	var given answer
	var err error
	given.Root, err = tlog.TreeHash(size, reader)
	must(err)
	given.FirstRoot, err = tlog.TreeHash(asked.First, reader)
	must(err)
	given.Inclusion, err = tlog.ProveRecord(size, asked.Index, reader)
	must(err)
	given.Consistency, err = tlog.ProveTree(size, asked.First, reader)
	must(err)
	leaf := tlog.RecordHash(asked.Leaves[asked.Index])
	given.Included = said(tlog.CheckRecord(asked.Inclusion, size, asked.Root, asked.Index, leaf))
	given.Continues = said(tlog.CheckTree(asked.Consistency, size, asked.Root, asked.First, asked.FirstRoot))
	return given
}

func said(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	lines := json.NewDecoder(bufio.NewReader(os.Stdin))
	answers := json.NewEncoder(os.Stdout)
	for lines.More() {
		var asked question
		must(lines.Decode(&asked))
		must(answers.Encode(judge(asked)))
	}
}
