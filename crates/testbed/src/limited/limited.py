"""A FUSE file system over a directory, with the limits that are named. limited.py ROOT MOUNTPOINT LIMIT..."""
import errno
import os
import stat
import sys

try:
    from fusepy import FUSE, FuseOSError, Operations
except ImportError:
    from fuse import FUSE, FuseOSError, Operations

LIMITS = set(sys.argv[3:])
SECOND = 10**9
LABEL = "security.selinux"


def refuse(limit, number):
    if limit in LIMITS:
        raise FuseOSError(number)


def kept(nanoseconds):
    if "Until2038" in LIMITS:
        nanoseconds = min(nanoseconds, (2**31 - 1) * SECOND)
    grain = 2 * SECOND if "TwoSeconds" in LIMITS else SECOND if "Seconds" in LIMITS else 1
    return nanoseconds // grain * grain


class Limited(Operations):
    use_ns = True

    def __init__(self, root):
        self.root = root

    def __call__(self, operation, *arguments):
        try:
            return super().__call__(operation, *arguments)
        except FuseOSError:
            raise
        except OSError as error:
            raise FuseOSError(error.errno)

    def at(self, path):
        return self.root + path

    def getattr(self, path, fh=None):
        told = os.lstat(self.at(path))
        names = ("st_gid", "st_ino", "st_mode", "st_nlink", "st_size", "st_uid")
        found = {name: getattr(told, name) for name in names}
        if LIMITS & {"ModesRefused", "ModesIgnored"}:
            found["st_mode"] = stat.S_IFMT(told.st_mode) | 0o777
        return found | {f"st_{t}": kept(getattr(told, f"st_{t}_ns")) for t in ("atime", "ctime", "mtime")}

    def readdir(self, path, fh):
        return [".", "..", *os.listdir(self.at(path))]

    def readlink(self, path):
        return os.readlink(self.at(path))

    def symlink(self, path, target):
        os.symlink(target, self.at(path))
        self.label(path)

    def mkdir(self, path, mode):
        os.mkdir(self.at(path), mode)
        self.label(path)

    def rmdir(self, path):
        os.rmdir(self.at(path))

    def unlink(self, path):
        os.unlink(self.at(path))

    def rename(self, old, new):
        if os.path.lexists(self.at(new)):
            refuse("NoReplacing", errno.EEXIST)
        os.rename(self.at(old), self.at(new))

    def chmod(self, path, mode):
        refuse("ModesRefused", errno.EPERM)
        if "ModesIgnored" not in LIMITS:
            os.chmod(self.at(path), mode)

    def chown(self, path, uid, gid):
        os.chown(self.at(path), uid, gid, follow_symlinks=False)

    def utimens(self, path, times=None):
        refuse("TimesRefused", errno.EPERM)
        os.utime(self.at(path), ns=times, follow_symlinks=False)

    def open(self, path, flags):
        return os.open(self.at(path), flags)

    def create(self, path, mode, fi=None):
        made = os.open(self.at(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        self.label(path)
        return made

    def label(self, path):
        """Gives what was made the type of its directory's label; the user is that of whoever made it."""
        directory = os.path.dirname(self.at(path))
        if "Labels" in LIMITS and LABEL in os.listxattr(directory):
            parts = os.getxattr(directory, LABEL).split(b":")
            os.setxattr(self.at(path), LABEL, b":".join([b"unconfined_u", *parts[1:]]), follow_symlinks=False)

    def getxattr(self, path, name, position=0):
        if "Labels" not in LIMITS or name != LABEL:
            raise FuseOSError(errno.ENOTSUP)
        return os.getxattr(self.at(path), name, follow_symlinks=False)

    def setxattr(self, path, name, value, options, position=0):
        if "Labels" not in LIMITS or name != LABEL:
            raise FuseOSError(errno.ENOTSUP)
        os.setxattr(self.at(path), name, value, follow_symlinks=False)

    def read(self, path, size, offset, fh):
        return os.pread(fh, size, offset)

    def write(self, path, data, offset, fh):
        return os.pwrite(fh, data, offset)

    def truncate(self, path, length, fh=None):
        os.truncate(self.at(path), length)

    def release(self, path, fh):
        os.close(fh)

    def fsync(self, path, datasync, fh):
        refuse("NoFileSync", errno.EINVAL)

    def fsyncdir(self, path, datasync, fh):
        refuse("NoDirectorySync", errno.EINVAL)

    def statfs(self, path):
        found = os.statvfs(self.root)
        names = ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_favail", "f_ffree", "f_files", "f_frsize", "f_namemax")
        return {} if "NoStatistics" in LIMITS else {name: getattr(found, name) for name in names}


FUSE(Limited(os.path.realpath(sys.argv[1])), sys.argv[2], foreground=True, nothreads=True, use_ino=True)
