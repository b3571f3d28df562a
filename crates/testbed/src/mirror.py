"""A FUSE file system that shows a directory as it is; those that differ derive from it. PROGRAM ROOT MOUNTPOINT ..."""
import errno
import os
import stat
import sys

try:
    from fusepy import FUSE, FuseOSError, Operations
except ImportError:
    from fuse import FUSE, FuseOSError, Operations


class Mirror(Operations):
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
        found = os.lstat(self.at(path))
        names = ("st_gid", "st_ino", "st_mode", "st_nlink", "st_size", "st_uid")
        times = {f"st_{time}": getattr(found, f"st_{time}_ns") for time in ("atime", "ctime", "mtime")}
        return {name: getattr(found, name) for name in names} | times

    def readdir(self, path, fh):
        return [".", "..", *os.listdir(self.at(path))]

    def readlink(self, path):
        return os.readlink(self.at(path))

    def symlink(self, path, target):
        os.symlink(target, self.at(path))

    def mkdir(self, path, mode):
        os.mkdir(self.at(path), mode)

    def rmdir(self, path):
        os.rmdir(self.at(path))

    def unlink(self, path):
        os.unlink(self.at(path))

    def chmod(self, path, mode):
        os.chmod(self.at(path), stat.S_IMODE(mode))

    def chown(self, path, uid, gid):
        os.chown(self.at(path), uid, gid, follow_symlinks=False)

    def open(self, path, flags):
        return os.open(self.at(path), flags & ~os.O_CREAT)

    def read(self, path, size, offset, fh):
        return os.pread(fh, size, offset)

    def write(self, path, data, offset, fh):
        return os.pwrite(fh, data, offset)

    def truncate(self, path, length, fh=None):
        os.truncate(self.at(path), length)

    def release(self, path, fh):
        os.close(fh)

    def statfs(self, path):
        found = os.statvfs(self.root)
        return {name: getattr(found, name) for name in dir(found) if name.startswith("f_") and name != "f_fsid"}


def serve(operations, **options):
    FUSE(operations, sys.argv[2], foreground=True, nothreads=True, **options)
