"""Notices on Windows: messages to a hidden top-level window. Never run by its authors (docs/platforms.md).

The window is a top-level one, because message-only windows get no broadcasts. Computers that stand by in the modern way
tell of it only those who registered, and others may tell twice, so what is said again is not told again. The system
waits about two seconds for the answer to a suspend, and about five for that to the end of a session. Here the call
returns when the hold is released.

https://learn.microsoft.com/windows/win32/power/wm-powerbroadcast, …/winmsg: WM_QUERYENDSESSION, WM_ENDSESSION.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Final

from roosync_p2p.adapters.power.port import Notice

__all__ = ["MessageReader", "WindowMessages"]

WM_DESTROY: Final = 0x0002
WM_CLOSE: Final = 0x0010
WM_QUERYENDSESSION: Final = 0x0011
WM_ENDSESSION: Final = 0x0016
WM_POWERBROADCAST: Final = 0x0218
PBT_APMSUSPEND: Final = 0x0004
PBT_APMRESUMEAUTOMATIC: Final = 0x0012  # after every sleep; PBT_APMRESUMESUSPEND follows when a person is there
ENDSESSION_LOGOFF: Final = 0x80000000

_HANDLED: Final = 1  # for WM_QUERYENDSESSION it means: go ahead


class MessageReader:
    """What window messages mean."""

    def __init__(self) -> None:
        self._last = Notice.RESUMED

    def notice(self, message: int, wparam: int, lparam: int) -> Notice | None:
        """The notice in a message; None for another message, and for what was said before."""
        found = self._meaning(message, wparam, lparam)
        if found is self._last:
            return None
        self._last = found or self._last
        return found

    def answer(self, message: int) -> int | None:
        """What to return for a message; None: the system's own procedure shall say."""
        return _HANDLED if message in (WM_POWERBROADCAST, WM_QUERYENDSESSION) else None

    def _meaning(self, message: int, wparam: int, lparam: int) -> Notice | None:
        if message == WM_POWERBROADCAST and wparam == PBT_APMSUSPEND:
            return Notice.SUSPEND_SOON
        if message == WM_POWERBROADCAST and wparam == PBT_APMRESUMEAUTOMATIC:
            return Notice.RESUMED
        if message == WM_ENDSESSION and wparam:  # not when another program prevented it
            return Notice.SESSION_ENDING if lparam & ENDSESSION_LOGOFF else Notice.SHUTDOWN_SOON
        return None


if sys.platform == "win32":
    import ctypes
    import ctypes.wintypes as types

    _CLASS: Final = "roosync power notices"
    _DEVICE_NOTIFY_WINDOW_HANDLE: Final = 0
    _RESULT = ctypes.c_ssize_t
    _PROCEDURE = ctypes.WINFUNCTYPE(_RESULT, types.HWND, types.UINT, types.WPARAM, types.LPARAM)

    class _WindowClass(ctypes.Structure):
        """WNDCLASSW."""

        _fields_ = (
            ("style", types.UINT),
            ("lpfnWndProc", _PROCEDURE),
            ("cbClsExtra", ctypes.c_int),
            ("cbWndExtra", ctypes.c_int),
            ("hInstance", types.HINSTANCE),
            ("hIcon", types.HANDLE),
            ("hCursor", types.HANDLE),
            ("hbrBackground", types.HANDLE),
            ("lpszMenuName", types.LPCWSTR),
            ("lpszClassName", types.LPCWSTR),
        )

    class WindowMessages:
        """The message loop of one hidden window; a :class:`~roosync_p2p.adapters.power.threaded.Source`."""

        def __init__(self) -> None:
            self._user32 = _declared(ctypes.WinDLL("user32", use_last_error=True))
            self._reader = MessageReader()
            self._window: int | None = None

        def listen(self, tell: Callable[[Notice], None], listening: threading.Event) -> None:
            """See :class:`~roosync_p2p.adapters.power.threaded.Source`."""

            def procedure(window: int, message: int, wparam: int, lparam: int) -> int:
                notice = self._reader.notice(message, wparam, lparam)
                if notice is not None:
                    tell(notice)
                if message == WM_DESTROY:
                    self._user32.PostQuitMessage(0)
                answer = self._reader.answer(message)
                return self._user32.DefWindowProcW(window, message, wparam, lparam) if answer is None else answer

            kept = _PROCEDURE(procedure)  # the system holds its address only
            self._window = self._open(kept)
            registered = self._user32.RegisterSuspendResumeNotification(self._window, _DEVICE_NOTIFY_WINDOW_HANDLE)
            listening.set()
            try:
                self._pump()
            finally:
                if registered:
                    self._user32.UnregisterSuspendResumeNotification(registered)
                self._user32.UnregisterClassW(_CLASS, None)

        def stop(self) -> None:
            """See :class:`~roosync_p2p.adapters.power.threaded.Source`."""
            if self._window is not None:
                self._user32.PostMessageW(self._window, WM_CLOSE, 0, 0)

        def _open(self, procedure: object) -> int:
            described = _WindowClass(lpfnWndProc=procedure, lpszClassName=_CLASS)
            if not self._user32.RegisterClassW(ctypes.byref(described)):
                raise ctypes.WinError(ctypes.get_last_error())
            window = self._user32.CreateWindowExW(0, _CLASS, _CLASS, 0, 0, 0, 0, 0, None, None, None, None)
            if not window:
                raise ctypes.WinError(ctypes.get_last_error())
            return int(window)

        def _pump(self) -> None:
            message = types.MSG()
            while (got := self._user32.GetMessageW(ctypes.byref(message), None, 0, 0)) != 0:
                if got == -1:
                    raise ctypes.WinError(ctypes.get_last_error())
                self._user32.DispatchMessageW(ctypes.byref(message))

    def _declared(user32: ctypes.WinDLL) -> ctypes.WinDLL:
        """With the types of what is called: handles have 64 bits, and ctypes assumes 32."""
        user32.DefWindowProcW.argtypes = (types.HWND, types.UINT, types.WPARAM, types.LPARAM)
        user32.DefWindowProcW.restype = _RESULT
        user32.RegisterClassW.argtypes = (ctypes.POINTER(_WindowClass),)
        user32.RegisterClassW.restype = types.ATOM
        user32.UnregisterClassW.argtypes = (types.LPCWSTR, types.HINSTANCE)
        user32.CreateWindowExW.argtypes = (
            *(types.DWORD, types.LPCWSTR, types.LPCWSTR, types.DWORD),
            *(ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int),
            *(types.HWND, types.HMENU, types.HINSTANCE, types.LPVOID),
        )
        user32.CreateWindowExW.restype = types.HWND
        user32.RegisterSuspendResumeNotification.argtypes = (types.HANDLE, types.DWORD)
        user32.RegisterSuspendResumeNotification.restype = types.HANDLE
        user32.UnregisterSuspendResumeNotification.argtypes = (types.HANDLE,)
        user32.PostMessageW.argtypes = (types.HWND, types.UINT, types.WPARAM, types.LPARAM)
        user32.GetMessageW.argtypes = (ctypes.POINTER(types.MSG), types.HWND, types.UINT, types.UINT)
        user32.GetMessageW.restype = ctypes.c_int  # BOOL with a third value, -1
        user32.DispatchMessageW.argtypes = (ctypes.POINTER(types.MSG),)
        user32.DispatchMessageW.restype = _RESULT
        return user32
