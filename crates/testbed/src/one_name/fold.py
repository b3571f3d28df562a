# A mirror that ignores case and Unicode composition, and keeps spellings, as the file systems of macOS and Windows do.
# It also takes - and _ for the same, which no real one does: a rule that nobody can know of.
# PROGRAM ROOT MOUNTPOINT [use_ino]
import unicodedata

UTIME_OMIT = 2**30 - 2


def fold(name):
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold()).replace("_", "-")


class Fold(Mirror):
    # Else setting one of the two times does nothing.
    flag_utime_omit_ok = True

    def at(self, path):
        """Where a path is, in whatever spelling it is there."""
        found = self.root
        for name in path.split("/"):
            if name and not os.path.lexists(os.path.join(found, name)):
                listed = os.listdir(found) if os.path.isdir(found) else []
                name = next((other for other in listed if fold(other) == fold(name)), name)
            found = os.path.join(found, name)
        return found

    def rename(self, old, new):
        source, target = self.at(old), self.at(new)
        if source == target:
            target = os.path.join(os.path.dirname(target), os.path.basename(new))
        os.rename(source, target)

    def create(self, path, mode, fi=None):
        return os.open(self.at(path), os.O_RDWR | os.O_CREAT | os.O_TRUNC, mode)

    def utimens(self, path, times=None):
        found = os.lstat(self.at(path))
        kept = (found.st_atime_ns, found.st_mtime_ns)
        times = tuple(now if time == UTIME_OMIT else time for time, now in zip(times, kept))
        os.utime(self.at(path), ns=times, follow_symlinks=False)

    def link(self, path, target):
        os.link(self.at(target), self.at(path))

    def fsync(self, path, datasync, fh):
        os.fsync(fh)


serve(Fold(sys.argv[1]), default_permissions=True, **{name: True for name in sys.argv[3:]})
