"""Notices on macOS: the system power notifications of IOKit. Never run by its authors (docs/platforms.md).

Sleep is announced and waits up to 30 s for every registered program to allow it; ours does when the hold is released.
Shutdown and log-off are not announced there: launchd sends SIGTERM, which the node hears anyway.

https://developer.apple.com/library/archive/qa/qa1340/ and IOKit/IOMessage.h.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Any, Final

from roosync_p2p.adapters.power.port import Notice

__all__ = ["SystemPowerMessages", "is_to_be_allowed", "notice_of_message"]

# iokit_common_msg(x) is 0xE0000000 | x
CAN_SYSTEM_SLEEP: Final = 0xE0000270  # idle sleep asks first
SYSTEM_WILL_SLEEP: Final = 0xE0000280
SYSTEM_WILL_NOT_SLEEP: Final = 0xE0000290  # after the question: somebody said no
SYSTEM_HAS_POWERED_ON: Final = 0xE0000300
SYSTEM_WILL_POWER_ON: Final = 0xE0000320  # earlier, without network and disk

_FRAMEWORKS: Final = "/System/Library/Frameworks"
_IOKIT: Final = f"{_FRAMEWORKS}/IOKit.framework/IOKit"
_CORE_FOUNDATION: Final = f"{_FRAMEWORKS}/CoreFoundation.framework/CoreFoundation"


def notice_of_message(message: int) -> Notice | None:
    """What a message means; None for another one, and for the mere question whether the system may sleep."""
    if message == SYSTEM_WILL_SLEEP:
        return Notice.SUSPEND_SOON
    return Notice.RESUMED if message == SYSTEM_HAS_POWERED_ON else None


def is_to_be_allowed(message: int) -> bool:
    """Whether the system waits for an answer to this message."""
    return message in (CAN_SYSTEM_SLEEP, SYSTEM_WILL_SLEEP)


class SystemPowerMessages:
    """The run loop of one registration; a :class:`~roosync_p2p.adapters.power.threaded.Source`."""

    def __init__(self) -> None:
        self._loop: int | None = None
        self._foundation: Any = None

    def listen(self, tell: Callable[[Notice], None], listening: threading.Event) -> None:
        """See :class:`~roosync_p2p.adapters.power.threaded.Source`."""
        iokit = _declared_iokit(ctypes.CDLL(_IOKIT))
        self._foundation = foundation = _declared_foundation(ctypes.CDLL(_CORE_FOUNDATION))
        root = ctypes.c_uint32()

        def callback(_context: object, _service: int, message: int, argument: int | None) -> None:
            notice = notice_of_message(message)
            if notice is not None:
                tell(notice)
            if is_to_be_allowed(message):
                iokit.IOAllowPowerChange(root, argument or 0)

        kept = _CALLBACK(callback)  # the system holds its address only
        port = ctypes.c_void_p()
        notifier = ctypes.c_uint32()
        root.value = iokit.IORegisterForSystemPower(None, ctypes.byref(port), kept, ctypes.byref(notifier))
        if not root.value:
            raise OSError("IORegisterForSystemPower refused")
        try:
            self._loop = foundation.CFRunLoopGetCurrent()
            mode = ctypes.c_void_p.in_dll(foundation, "kCFRunLoopDefaultMode")
            foundation.CFRunLoopAddSource(self._loop, iokit.IONotificationPortGetRunLoopSource(port), mode)
            listening.set()
            foundation.CFRunLoopRun()
        finally:
            iokit.IODeregisterForSystemPower(ctypes.byref(notifier))
            iokit.IOServiceClose(root)
            iokit.IONotificationPortDestroy(port)

    def stop(self) -> None:
        """See :class:`~roosync_p2p.adapters.power.threaded.Source`."""
        if self._loop is not None:
            self._foundation.CFRunLoopStop(self._loop)


_CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_void_p)


def _declared_iokit(iokit: Any) -> Any:
    """With the types of what is called: pointers have 64 bits, and ctypes assumes 32."""
    pointers = (ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p), _CALLBACK, ctypes.POINTER(ctypes.c_uint32))
    iokit.IORegisterForSystemPower.argtypes = pointers
    iokit.IORegisterForSystemPower.restype = ctypes.c_uint32
    iokit.IOAllowPowerChange.argtypes = (ctypes.c_uint32, ctypes.c_ssize_t)
    iokit.IONotificationPortGetRunLoopSource.argtypes = (ctypes.c_void_p,)
    iokit.IONotificationPortGetRunLoopSource.restype = ctypes.c_void_p
    iokit.IODeregisterForSystemPower.argtypes = (ctypes.POINTER(ctypes.c_uint32),)
    iokit.IOServiceClose.argtypes = (ctypes.c_uint32,)
    iokit.IONotificationPortDestroy.argtypes = (ctypes.c_void_p,)
    return iokit


def _declared_foundation(foundation: Any) -> Any:
    foundation.CFRunLoopGetCurrent.restype = ctypes.c_void_p
    foundation.CFRunLoopAddSource.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    foundation.CFRunLoopRun.restype = None
    foundation.CFRunLoopStop.argtypes = (ctypes.c_void_p,)
    return foundation
