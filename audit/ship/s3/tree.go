package s3

import (
	"cmp"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
)

// file is a file of the tree.
type file struct {
	name string
	cloudtrail.Object
}

// find returns the files of some kinds below a directory that are of a time or later, in
// the order of their times and names. It does not look into the directories of earlier
// days. A directory that is missing has none.
func find(tree fs.FS, dir string, since time.Time, kinds ...cloudtrail.Kind) ([]file, error) {
	var found []file
	err := fs.WalkDir(tree, dir, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case entry.IsDir():
			if before(name, since) {
				return fs.SkipDir
			}
			return nil
		}
		o, ok := cloudtrail.ParseObject(name)
		if ok && slices.Contains(kinds, o.Kind) && !o.Time.Before(since) {
			found = append(found, file{name, o})
		}
		return nil
	})
	slices.SortFunc(found, func(a, b file) int {
		return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.name, b.name))
	})
	return found, err
}

// before says whether a directory is that of a day, month or year before a time.
func before(dir string, since time.Time) bool {
	parts := strings.Split(dir, "/")
	for n, layout := range map[int]string{1: "2006", 2: "2006/01", 3: "2006/01/02"} {
		if len(parts) < n {
			continue
		}
		day := strings.Join(parts[len(parts)-n:], "/")
		if _, err := time.Parse(layout, day); err == nil && day < since.UTC().Format(layout) {
			return true
		}
	}
	return false
}

// regionsIn returns the Regions that have directories in dir.
func regionsIn(tree fs.FS, dir string) ([]string, error) {
	entries, err := fs.ReadDir(tree, dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var regions []string
	for _, e := range entries {
		if e.IsDir() {
			regions = append(regions, e.Name())
		}
	}
	return regions, nil
}

func top(n cloudtrail.Names, kind string) string {
	return path.Join(path.Dir(n.PublicKeys()), kind)
}
