package history

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/keystore/metric"
)

// A file has the points of an hour of UTC, by which it is named.
const (
	fileLength = time.Hour
	hourFormat = "2006-01-02T15Z"
	extension  = ".v1.jsonl"
)

// files are the files of a directory. They are not safe for concurrent use.
type files struct {
	dir  string
	keep time.Duration
	log  hclog.Logger

	name    string // of the file that book is of; empty: there is none
	book    *book
	failing bool // the last attempt to write has failed
}

func newFiles(dir string, keep time.Duration, log hclog.Logger) *files {
	return &files{dir: dir, keep: keep, log: log, book: newBook()}
}

func nameOf(t time.Time) string { return t.UTC().Truncate(fileLength).Format(hourFormat) + extension }

// read gives the points of all files, and remembers the book of the present hour's.
func (f *files) read(now time.Time, give func(metric.Series, metric.Point)) {
	entries, err := os.ReadDir(f.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.log.Warn("the history of metrics cannot be read and begins anew", "error", err)
	}
	for _, e := range entries {
		if _, ours := hourOf(e.Name()); !ours {
			f.log.Warn("a file in the directory of the metric history is of another version, or not of it, and is left alone", "file", filepath.Join(f.dir, e.Name()))
			continue
		}
		b := f.readFile(e.Name(), give)
		if e.Name() == nameOf(now) {
			f.name, f.book = e.Name(), b
		}
	}
	f.removeOld(now)
}

func (f *files) readFile(name string, give func(metric.Series, metric.Point)) *book {
	path := filepath.Join(f.dir, name)
	text, err := os.ReadFile(path)
	b := newBook()
	if err == nil {
		b, err = decode(text, give)
	}
	if err != nil {
		f.log.Warn("a file of the metric history cannot be read in whole: what is damaged is left out", "file", path, "error", err)
	}
	return b
}

// hourOf returns when the hour of a file begins, and whether the name is that of a file.
func hourOf(name string) (time.Time, bool) {
	hour, ours := strings.CutSuffix(name, extension)
	t, err := time.Parse(hourFormat, hour)
	return t, ours && err == nil
}

// append adds a minute to its file. When that fails the minute is not written; the next one
// is tried again.
func (f *files) append(m *minute) {
	err := f.write(m)
	switch {
	case err != nil && !f.failing:
		f.log.Error("the history of metrics cannot be written; until it can, it is kept in memory only", "error", err)
	case err == nil && f.failing:
		f.log.Info("the history of metrics can be written again")
	}
	f.failing = err != nil
}

func (f *files) write(m *minute) error {
	if name := nameOf(m.at); name != f.name || f.shortened() {
		f.name, f.book = name, f.bookOf(name)
		f.removeOld(m.at)
	}
	text, after, err := f.book.encode(m)
	if err != nil {
		return fmt.Errorf("encoding metrics: %w", err)
	}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return err
	}
	if err := writeAt(filepath.Join(f.dir, f.name), f.book.size, text); err != nil {
		return err
	}
	f.book = after
	return nil
}

// shortened says that the file is not there any more, or not all of it. To go on at its end would
// leave a gap, of which nobody can read on.
func (f *files) shortened() bool {
	info, err := os.Stat(filepath.Join(f.dir, f.name))
	return errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() < f.book.size
}

// bookOf returns the book of a file that may be there, if the clock was set back.
func (f *files) bookOf(name string) *book {
	if _, err := os.Stat(filepath.Join(f.dir, name)); err != nil {
		return newBook()
	}
	return f.readFile(name, func(metric.Series, metric.Point) {})
}

// writeAt has a file end in text, before which are size bytes of it; what is behind them was not
// written in whole. It is not synced: a minute of metrics is not worth what that costs others.
func writeAt(path string, size int64, text []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	err = file.Truncate(size)
	if err == nil {
		_, err = file.WriteAt(text, size)
	}
	return errors.Join(err, file.Close())
}

// removeOld removes the files of hours that are kept no longer.
func (f *files) removeOld(now time.Time) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return // writing tells
	}
	for _, e := range entries {
		hour, ours := hourOf(e.Name())
		if !ours || !hour.Add(fileLength).Before(now.Add(-f.keep)) {
			continue
		}
		if err := os.Remove(filepath.Join(f.dir, e.Name())); err != nil {
			f.log.Warn("a file of the metric history that is kept no longer cannot be removed", "error", err)
		}
	}
}
