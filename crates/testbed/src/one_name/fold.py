"""A FUSE file system over a directory that ignores case and how Unicode is composed, and keeps spellings, as those of
macOS and Windows do. It also takes - and _ for the same, which no real one does: a rule that nobody can know of. fold.py ROOT MOUNTPOINT [use_ino]"""
import os
import stat
import sys
import unicodedata

try:
    from fusepy import FUSE, FuseOSError, Operations
except ImportError:
    from fuse import FUSE, FuseOSError, Operations


UTIME_OMIT = 2**30 - 2


def fold(name):
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold()).replace("_", "-")


def real(error):
    raise FuseOSError(error.errno)


class Fold(Operations):
    use_ns = True
    # Else setting one of the two times does nothing.
    flag_utime_omit_ok = True

    def __init__(self, root):
        self.root = root

    def __call__(self, operation, *arguments):
        try:
            return super().__call__(operation, *arguments)
        except FuseOSError:
            raise
        except OSError as error:
            real(error)

    def at(self, path):
        """Where a path is, in whatever spelling it is there."""
        found = self.root
        for name in path.split("/"):
            if name and not os.path.lexists(os.path.join(found, name)):
                listed = os.listdir(found) if os.path.isdir(found) else []
                name = next((other for other in listed if fold(other) == fold(name)), name)
            found = os.path.join(found, name)
        return found

    def getattr(self, path, fh=None):
        told = os.lstat(self.at(path))
        names = ("st_gid", "st_ino", "st_mode", "st_nlink", "st_size", "st_uid")
        found = {name: getattr(told, name) for name in names}
        return found | {f"st_{t}": getattr(told, f"st_{t}_ns") for t in ("atime", "ctime", "mtime")}

    def readdir(self, path, fh):
        return [".", "..", *os.listdir(self.at(path))]

    def rename(self, old, new):
        source, target = self.at(old), self.at(new)
        if source == target:
            target = os.path.join(os.path.dirname(target), os.path.basename(new))
        os.rename(source, target)

    def create(self, path, mode, fi=None):
        return os.open(self.at(path), os.O_RDWR | os.O_CREAT | os.O_TRUNC, mode)

    def utimens(self, path, times=None):
        told = os.lstat(self.at(path))
        kept = (told.st_atime_ns, told.st_mtime_ns)
        times = tuple(now if time == UTIME_OMIT else time for time, now in zip(times, kept))
        os.utime(self.at(path), ns=times, follow_symlinks=False)

    def statfs(self, path):
        told = os.statvfs(self.root)
        return {name: getattr(told, name) for name in dir(told) if name.startswith("f_") and name != "f_fsid"}

    def readlink(self, path):
        return os.readlink(self.at(path))

    def symlink(self, path, target):
        os.symlink(target, self.at(path))

    def link(self, path, target):
        os.link(self.at(target), self.at(path))

    def mkdir(self, path, mode):
        os.mkdir(self.at(path), mode)

    def rmdir(self, path):
        os.rmdir(self.at(path))

    def unlink(self, path):
        os.unlink(self.at(path))

    def chmod(self, path, mode):
        os.chmod(self.at(path), stat.S_IMODE(mode))

    def open(self, path, flags):
        return os.open(self.at(path), flags & ~os.O_CREAT)

    def read(self, path, count, offset, fh):
        return os.pread(fh, count, offset)

    def write(self, path, data, offset, fh):
        return os.pwrite(fh, data, offset)

    def truncate(self, path, length, fh=None):
        os.truncate(self.at(path), length)

    def release(self, path, fh):
        os.close(fh)

    def fsync(self, path, datasync, fh):
        os.fsync(fh)

    def flush(self, path, fh):
        return 0

    def access(self, path, mode):
        return 0

    def chown(self, path, uid, gid):
        os.chown(self.at(path), uid, gid, follow_symlinks=False)

    def fsyncdir(self, path, datasync, fh):
        return 0


options = {name: True for name in sys.argv[3:]}
FUSE(Fold(sys.argv[1]), sys.argv[2], foreground=True, nothreads=True, default_permissions=True, **options)
