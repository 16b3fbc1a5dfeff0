package cloudtrail

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// Check verifies the digests of a tree, from the newest of each Region to the first,
// and every log file that they name. The keys have to come from elsewhere than the
// tree. An error is an *Invalid if the tree is not as it was written, else of ctx or
// of reading.
//
// It may run beside the process that writes the tree.
func Check(ctx context.Context, fsys fs.FS, keys Keys, opts CheckOptions) (Report, error) {
	c := &checker{ctx: ctx, fsys: fsys, keys: keys, opts: opts, named: make(map[string]bool)}
	files, err := c.list()
	if err != nil {
		return Report{}, fmt.Errorf("listing the files: %w", err)
	}
	for _, l := range c.lines {
		if err := c.line(l); err != nil {
			return c.report, err
		}
	}
	c.checkPins()
	for _, name := range files {
		if !c.named[name] {
			c.report.Unnamed = append(c.report.Unnamed, name)
		}
	}
	if len(c.problems) == 0 {
		return c.report, nil
	}
	slices.SortStableFunc(c.problems, func(a, b Problem) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return c.report, &Invalid{c.problems}
}

type checker struct {
	ctx      context.Context
	fsys     fs.FS
	keys     Keys
	opts     CheckOptions
	lines    []*line // by account and Region
	named    map[string]bool
	report   Report
	problems []Problem
}

// line is the files of a Region's digests.
type line struct {
	account, region string
	files           []*file // oldest first
}

// file is what was found in the place of a digest.
type file struct {
	name   string
	object Object
	// hash is of the content, empty if that cannot be read; signature is what stands
	// beside it.
	hash, signature string
	// digest is nil if it is not good in itself. Its LogFiles are gone.
	digest *Digest
}

// problem notes something. Problems about digests come before their records are
// known, so that sequence may be changed later.
func (c *checker) problem(name string, sequence uint64, format string, args ...any) {
	c.problems = append(c.problems, Problem{name, sequence, fmt.Sprintf(format, args...)})
}

// list finds the digests, and returns the files that digests may name.
func (c *checker) list() (others []string, err error) {
	lines := make(map[string]*line)
	err = fs.WalkDir(c.fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir // the exporter's
		case d.IsDir():
			return c.ctx.Err()
		}
		switch o, known := ParseObject(name); {
		case known && o.Time.Before(c.opts.Since) || o.Kind == KindPublicKeys:
		case o.Kind == KindDigest:
			c.addTo(lines, name, o)
		default:
			others = append(others, name)
		}
		return nil
	})
	for _, l := range c.lines {
		slices.SortFunc(l.files, func(a, b *file) int {
			return cmp.Or(a.object.Time.Compare(b.object.Time), cmp.Compare(a.name, b.name))
		})
	}
	return others, err
}

func (c *checker) addTo(lines map[string]*line, name string, o Object) {
	id := o.Account + "/" + o.Region
	l := lines[id]
	if l == nil {
		l = &line{account: o.Account, region: o.Region}
		lines[id], c.lines = l, append(c.lines, l)
	}
	l.files = append(l.files, &file{name: name, object: o})
}

// line checks the digests of a Region, and what they name.
func (c *checker) line(l *line) error {
	next := uint64(1) // the first record that no good digest stands for so far
	chain := Chain{Account: l.account, Region: l.region}
	for _, f := range l.files {
		if err := c.load(f, next); err != nil {
			return err
		}
		if f.digest != nil {
			next = f.digest.Journal.Last + 1
			chain.Digests = append(chain.Digests, *f.digest)
		}
	}
	c.links(l)
	c.report.Chains = append(c.report.Chains, chain)
	return nil
}

// load reads a digest and checks what can be checked of it alone: itself and its
// log files.
func (c *checker) load(f *file, next uint64) error {
	c.named[f.name+SignatureSuffix] = true
	content, err := readCompressed(c.fsys, f.name)
	if err == nil {
		f.hash = HashValue(content)
		f.signature, err = readSignature(c.fsys, f.name+SignatureSuffix)
	}
	var d *Digest
	if err == nil {
		d, err = DecodeDigest(content)
	}
	if err == nil {
		err = c.itself(f, SignedDigest{d, content, f.signature})
	}
	if err != nil {
		if c.ctx.Err() != nil {
			return c.ctx.Err()
		}
		c.problem(f.name, next, "the digest is not as it was signed: %v", err)
		return nil
	}
	for _, log := range d.LogFiles {
		if err := c.logFile(log); err != nil {
			return err
		}
	}
	d.LogFiles = nil
	f.digest = d
	return nil
}

// itself checks that a digest stands where it says, and its signature.
func (c *checker) itself(f *file, d SignedDigest) error {
	switch {
	case d.Object != f.name:
		return fmt.Errorf("it was moved: it says that it is %s", d.Object)
	case d.Account != f.object.Account || !d.End.Equal(f.object.Time):
		return errors.New("its account or its time is not that of its name")
	}
	return d.Verify(c.keys)
}

// logFile checks a log file's hash.
func (c *checker) logFile(log LogFile) error {
	c.named[log.Object] = true
	sum := sha256.New()
	err := uncompress(c.fsys, log.Object, func(r io.Reader) error {
		_, err := io.Copy(sum, reader{c.ctx, r})
		return err
	})
	first := log.Journal.First
	switch found := hex.EncodeToString(sum.Sum(nil)); {
	case c.ctx.Err() != nil:
		return c.ctx.Err()
	case errors.Is(err, fs.ErrNotExist):
		c.problem(log.Object, first, "the log file is missing; it has %d of the records %d to %d", log.Journal.Records, first, log.Journal.Last)
	case err != nil:
		c.problem(log.Object, first, "the log file was altered: %v", err)
	case found != log.HashValue:
		c.problem(log.Object, first, "the log file was altered: its hash is %s, not %s; it has %d of the records %d to %d",
			found, log.HashValue, log.Journal.Records, first, log.Journal.Last)
	default:
		c.report.LogFiles++
	}
	return nil
}

// reader reads until ctx ends.
type reader struct {
	ctx context.Context
	io.Reader
}

// Read implements io.Reader.
func (r reader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(b)
}
