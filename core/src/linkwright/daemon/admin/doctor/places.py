"""Checks of directories and sockets: can Docker find us, can the state be kept, and can nobody else read it."""

import os
import shutil
import stat
from pathlib import Path
from typing import Final

from linkwright.daemon.admin.doctor.surroundings import Finding, Status, Surroundings

_MIB: Final = 1 << 20

#: Bytes that have to be free: a write-ahead log of 4 MiB (SQLite's checkpoint at 1 000 pages), twice; and comfort.
_LEAST_FREE: Final = 8 * _MIB
_COMFORT: Final = 100 * _MIB

#: Group and others.
_STRANGERS: Final = stat.S_IRWXG | stat.S_IRWXO
_STRANGERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


def daemon(surroundings: Surroundings) -> Finding:
    """Whether a daemon answers at all."""
    socket = surroundings.config.run_dir / "admin.sock"
    if surroundings.live is not None:
        return Finding(Status.OK, f"it answers at {socket}")
    return Finding(
        Status.FAIL,
        f"no daemon answers at {socket}: containers keep what they have, and new ones cannot start",
        "start it with `linkwright serve`, or name its directory with --run-dir",
    )


def plugin_dir(surroundings: Surroundings) -> Finding:
    """Whether the directory where Docker looks for plugins is there, and only root may put something there."""
    path = surroundings.config.plugin_dir
    if not path.is_dir():
        return Finding(
            Status.FAIL, f"{path} is no directory: Docker finds no plugin", "start linkwright, which makes it"
        )
    if path.stat().st_mode & _STRANGERS_WRITE:
        return Finding(
            Status.FAIL,
            f"others than its owner may write in {path} ({_mode(path)}): they could pose as a plugin",
            f"chmod go-w {path}",
        )
    return Finding(Status.OK, f"{path} is there")


def sockets(surroundings: Surroundings) -> Finding:
    """Whether each of our sockets is there, and for root alone: whoever reaches one commands the host's network."""
    config, live = surroundings.config, surroundings.live
    names = (*live.drivers, "ipam") if live else ()
    paths = [
        *(config.plugin_dir / f"{config.prefix}{name}.sock" for name in names),
        config.run_dir / "admin.sock",
    ]
    missing = [path for path in paths if not path.is_socket()]
    if missing:
        return Finding(
            Status.FAIL,
            f"missing: {_list(missing)}; Docker waits 15 s for each at every touch",
            "somebody removed them: restart linkwright, which makes them again",
        )
    open_ones = [path for path in paths if path.stat().st_mode & _STRANGERS]
    if open_ones:
        return Finding(
            Status.FAIL,
            f"others than root may use {_list(open_ones)}",
            f"chmod 600 {' '.join(map(str, open_ones))}; if systemd makes them, set SocketMode=0600",
        )
    return Finding(Status.OK, f"{len(paths)} sockets, all for root alone")


def state_dir(surroundings: Surroundings) -> Finding:
    """Whether the state is there and private: endpoint options may carry what people would not publish."""
    path = surroundings.config.state_dir
    if not path.is_dir():
        return Finding(Status.WARN, f"{path} is not there yet", "linkwright makes it when it first starts")
    if path.stat().st_mode & _STRANGERS:
        return Finding(Status.WARN, f"others than its owner may look into {path} ({_mode(path)})", f"chmod 700 {path}")
    return Finding(Status.OK, f"{path} is there, for its owner alone")


def disk(surroundings: Surroundings) -> Finding:
    """Whether the state can be written: on a full disk no container can start."""
    path = _existing(surroundings.config.state_dir)
    free, inodes = shutil.disk_usage(path).free, os.statvfs(path)
    if inodes.f_files and not inodes.f_favail:
        return Finding(Status.FAIL, f"no file can be made on the disk of {path}: all inodes are taken", "remove files")
    text = f"{free // _MIB} MiB free on the disk of {path}"
    if free < _LEAST_FREE:
        return Finding(Status.FAIL, f"{text}: the state cannot be kept, and calls of Docker fail", "free some space")
    if free < _COMFORT:
        return Finding(Status.WARN, text, "free some space before it is gone")
    return Finding(Status.OK, text)


def _existing(path: Path) -> Path:
    """*path*, or the nearest directory above it that is there."""
    return next(one for one in (path, *path.parents) if one.is_dir())


def _mode(path: Path) -> str:
    return stat.filemode(path.stat().st_mode)


def _list(paths: list[Path]) -> str:
    return ", ".join(map(str, paths))
