# A mirror with the limits that are named. PROGRAM ROOT MOUNTPOINT LIMIT...
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


class Limited(Mirror):
    def getattr(self, path, fh=None):
        found = super().getattr(path)
        if LIMITS & {"ModesRefused", "ModesIgnored"}:
            found["st_mode"] = stat.S_IFMT(found["st_mode"]) | 0o777
        return found | {name: kept(found[name]) for name in ("st_atime", "st_ctime", "st_mtime")}

    def symlink(self, path, target):
        super().symlink(path, target)
        self.label(path)

    def mkdir(self, path, mode):
        super().mkdir(path, mode)
        self.label(path)

    def rename(self, old, new):
        if os.path.lexists(self.at(new)):
            refuse("NoReplacing", errno.EEXIST)
        os.rename(self.at(old), self.at(new))

    def chmod(self, path, mode):
        refuse("ModesRefused", errno.EPERM)
        if "ModesIgnored" not in LIMITS:
            super().chmod(path, mode)

    def utimens(self, path, times=None):
        refuse("TimesRefused", errno.EPERM)
        os.utime(self.at(path), ns=times, follow_symlinks=False)

    def create(self, path, mode, fi=None):
        made = os.open(self.at(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        self.label(path)
        return made

    def label(self, path):
        """Gives a new entry the type of its directory's label; the user is that of its creator."""
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

    def fsync(self, path, datasync, fh):
        refuse("NoFileSync", errno.EINVAL)

    def fsyncdir(self, path, datasync, fh):
        refuse("NoDirectorySync", errno.EINVAL)

    def statfs(self, path):
        return {} if "NoStatistics" in LIMITS else super().statfs(path)


serve(Limited(os.path.realpath(sys.argv[1])), use_ino=True)
