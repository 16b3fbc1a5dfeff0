package cloudtrail

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// NewestDigests returns the name of the newest digest of each Region that a tree
// has under these names' prefix and account. It reads no digest, and only the
// directories of the newest days.
func NewestDigests(fsys fs.FS, names Names) (map[string]string, error) {
	top := names.join("CloudTrail-Digest")
	regions, err := readDir(fsys, top)
	newest := make(map[string]string)
	for _, region := range regions {
		name, err := newestBelow(fsys, path.Join(top, region), 3)
		if err != nil {
			return nil, err
		}
		if name != "" {
			newest[region] = name
		}
	}
	return newest, err
}

// newestBelow looks in the last directory first: year, month and day.
func newestBelow(fsys fs.FS, dir string, levels int) (string, error) {
	entries, err := readDir(fsys, dir)
	if err != nil {
		return "", err
	}
	if levels == 0 {
		return newestOf(dir, entries), nil
	}
	for _, name := range slices.Backward(entries) {
		if strings.Trim(name, "0123456789") != "" {
			continue
		}
		if found, err := newestBelow(fsys, path.Join(dir, name), levels-1); found != "" || err != nil {
			return found, err
		}
	}
	return "", nil
}

// newestOf compares times, not names: the trail may have been given another name.
func newestOf(dir string, entries []string) (newest string) {
	var end time.Time
	for _, entry := range entries {
		name := path.Join(dir, entry)
		if o, ok := ParseObject(name); ok && o.Kind == KindDigest && !o.Time.Before(end) {
			newest, end = name, o.Time
		}
	}
	return newest
}

// readDir returns the names in a directory in order, none if it is missing.
func readDir(fsys fs.FS, dir string) (names []string, err error) {
	entries, err := fs.ReadDir(fsys, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}
