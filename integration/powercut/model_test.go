package powercut

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// follow returns the history of a directory that has one file, old, of four
// sectors, during a trace. In the trace DIR stands for the directory, and NOTES for the
// file of the client's notes.
func follow(t *testing.T, trace string) *history {
	t.Helper()
	dir := t.TempDir()
	top := filepath.Join(dir, "top")
	if err := os.Mkdir(top, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(top, "old"), []byte(strings.Repeat("o", 4*512)), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := newHistory(top, top, filepath.Join(dir, "notes"))
	if err != nil {
		t.Fatal(err)
	}
	if err := readTrace(strings.NewReader(strings.NewReplacer("DIR", top, "NOTES", filepath.Join(dir, "notes")).Replace(trace)), dir, h); err != nil {
		t.Fatal(err)
	}
	return h
}

// outcomes returns all states in which a directory may be after a power cut at the
// end of a line, each as its names with the letters of their sectors.
func outcomes(h *history, line int) []string {
	var all []string
	for seed := range uint64(300) {
		c := newCut([]int{2*line + 2}, seed)
		c.sector, c.garbage = 512, false
		if state := describe(c, h.root); !slices.Contains(all, state) {
			all = append(all, state)
		}
	}
	slices.Sort(all)
	return all
}

// describe writes down a directory after a cut: a letter for each sector, "0" for
// zeros, and what directories have in brackets.
func describe(c *cut, dir *node) string {
	var all []string
	entries := c.entries(dir)
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if entries[name].dir {
			all = append(all, name+":["+describe(c, entries[name])+"]")
			continue
		}
		var letters strings.Builder
		for sector := range slices.Chunk(c.content(entries[name]), 512) {
			letters.WriteString(strings.ReplaceAll(string(sector[:1]), "\x00", "0"))
		}
		all = append(all, name+":"+letters.String())
	}
	return strings.Join(all, " ")
}

// Lines of traces.
var (
	openOld   = `1  openat(AT_FDCWD</>, "DIR/old", O_RDWR|O_CLOEXEC) = 3<DIR/old>` + "\n"
	openDsync = `1  openat(AT_FDCWD</>, "DIR/old", O_WRONLY|O_DSYNC) = 3<DIR/old>` + "\n"
	openNew   = `1  openat(AT_FDCWD</>, "DIR/new", O_RDWR|O_CREAT, 0600) = 4<DIR/new>` + "\n"
	syncOld   = `1  fdatasync(3<DIR/old>) = 0` + "\n"
	syncNew   = `1  fsync(4<DIR/new>) = 0` + "\n"
	makeSub   = `1  mkdirat(AT_FDCWD</>, "DIR/sub", 0700) = 0` + "\n"
	moveOld   = `1  renameat(AT_FDCWD</>, "DIR/old", AT_FDCWD</>, "DIR/sub/moved") = 0` + "\n"
	syncSub   = `1  fsync(6<DIR/sub>) = 0` + "\n"
	syncDir   = `1  fsync(5<DIR>) = 0` + "\n"
	writeNew  = `1  write(4<DIR/new>, "` + strings.Repeat("n", 512) + `", 512) = 512` + "\n"
)

const linkOld = `1  linkat(AT_FDCWD</>, "DIR/old", AT_FDCWD</>, "DIR/twin", 0) = 0` + "\n"

// writeOld writes a letter into whole sectors of the file old.
func writeOld(letter string, sectors, at int) string {
	return fmt.Sprintf("1  pwrite64(3<DIR/old>, %q, %d, %d) = %d\n", strings.Repeat(letter, 512*sectors), 512*sectors, 512*at, 512*sectors)
}

// What a disk may have at the end of the last line.
func TestOutcomes(t *testing.T) {
	for _, test := range []struct {
		name, trace string
		want        []string
	}{
		{"nothing happened", openOld, []string{"old:oooo"}},
		{"a write may be lost in part", openOld + writeOld("a", 2, 1), []string{"old:oaao", "old:oaoo", "old:ooao", "old:oooo"}},
		{"a synced write is there", openOld + writeOld("a", 2, 1) + syncOld, []string{"old:oaao"}},
		{"so is one with O_DSYNC", openDsync + writeOld("a", 1, 0), []string{"old:aooo"}},
		{
			"a sector may have any of its values since the sync", openOld + writeOld("a", 1, 0) + syncOld + writeOld("b", 1, 0) + writeOld("c", 1, 0),
			[]string{"old:aooo", "old:booo", "old:cooo"},
		},
		{
			"a length and the bytes are two things", openOld + writeOld("a", 1, 4),
			[]string{"old:oooo", "old:oooo0", "old:ooooa"},
		},
		{"a file may get shorter", openOld + "1  ftruncate(3<DIR/old>, 1024) = 0\n", []string{"old:oo", "old:oo00", "old:oo0o", "old:ooo0", "old:oooo"}},
		{"and surely does after a sync", openOld + "1  ftruncate(3<DIR/old>, 1024) = 0\n" + syncOld, []string{"old:oo"}},
		{"a failed write did nothing", openOld + `1  write(3<DIR/old>, "a", 1) = -1 EIO (Input/output error)` + "\n", []string{"old:oooo"}},
		{"a short write wrote what it says", openDsync + `1  pwrite64(3<DIR/old>, "` + strings.Repeat("a", 1024) + `", 1024, 0) = 512` + "\n", []string{"old:aooo"}},
		{"a new file has no name yet", openNew + writeNew + syncNew, []string{"new:n old:oooo", "old:oooo"}},
		{"a name without the file's bytes", openNew + writeNew + syncDir, []string{"new: old:oooo", "new:0 old:oooo", "new:n old:oooo"}},
		{"both synced", openNew + writeNew + syncNew + syncDir, []string{"new:n old:oooo"}},
		{"a removed file may come back", `1  unlinkat(AT_FDCWD</>, "DIR/old", 0) = 0` + "\n", []string{"", "old:oooo"}},
		{"and stays away after a sync", `1  unlinkat(AT_FDCWD</>, "DIR/old", 0) = 0` + "\n" + syncDir, []string{""}},
		{
			"a file is renamed or is not", `1  renameat(AT_FDCWD</>, "DIR/old", AT_FDCWD</>, "DIR/young") = 0` + "\n",
			[]string{"old:oooo", "young:oooo"},
		},
		{
			"renaming what may not be there", openNew + writeNew + syncNew + `1  rename("DIR/new", "DIR/old") = 0` + "\n",
			[]string{"new:n old:oooo", "old:n", "old:oooo"},
		},
		{
			"a file that is moved may have both names or none", makeSub + syncDir + moveOld,
			[]string{"old:oooo sub:[]", "old:oooo sub:[moved:oooo]", "sub:[]", "sub:[moved:oooo]"},
		},
		{"a sync of where it came from takes the old name only", makeSub + moveOld + syncDir, []string{"sub:[]", "sub:[moved:oooo]"}},
		{"one of where it went gives the new name only", makeSub + syncDir + moveOld + syncSub, []string{"old:oooo sub:[moved:oooo]", "sub:[moved:oooo]"}},
		{"moved, with both synced", makeSub + moveOld + syncSub + syncDir, []string{"sub:[moved:oooo]"}},
		{
			"two names", linkOld + syncDir + openDsync + writeOld("a", 4, 0),
			[]string{"old:aaaa twin:aaaa"},
		},
		{"a new directory", `1  mkdirat(AT_FDCWD</>, "DIR/x", 0700) = 0` + "\n" + `1  unlinkat(AT_FDCWD</>, "DIR/x", AT_REMOVEDIR) = 0` + "\n" + syncDir, []string{"old:oooo"}},
		{
			"a sync counts only for what was over before it", openOld + `2  pwrite64(3<DIR/old>, "a", 1, 0 <unfinished ...>` + "\n" + syncOld + `2  <... pwrite64 resumed>) = 1` + "\n",
			[]string{"old:aooo", "old:oooo"},
		},
		{
			"and only once it is over", openOld + writeOld("a", 1, 0) + `1  fdatasync(3<DIR/old> <unfinished ...>` + "\n",
			[]string{"old:aooo", "old:oooo"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := outcomes(follow(t, test.trace), strings.Count(test.trace, "\n"))
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// A file that was lengthened in vain may have anything where its bytes were not
// written, and only there.
func TestGarbage(t *testing.T) {
	h := follow(t, openOld+writeOld("a", 1, 5))
	zeros := make([]byte, 512)
	garbage := 0
	for seed := range uint64(100) {
		c := newCut([]int{never}, seed)
		c.sector, c.garbage = 512, true
		content := c.content(h.root.find("old"))
		if len(content) < 6*512 {
			continue
		}
		if !bytes.Equal(content[4*512:5*512], zeros) || content[3*512] != 'o' {
			t.Error("there is garbage where nobody has written")
		}
		if last := content[5*512:]; last[0] != 'a' && !bytes.Equal(last, zeros) {
			garbage++
		}
	}
	if garbage == 0 {
		t.Error("no cut left garbage")
	}
}

// What the disk has is written as files, with both names of one file for one file.
func TestWrite(t *testing.T) {
	h := follow(t, linkOld+syncDir+openNew+syncDir+`1  mkdir("DIR/sub", 0700) = 0`+"\n"+syncDir)
	dir := filepath.Join(t.TempDir(), "disk")
	if err := newCut([]int{never}, 1).write(h.root, dir); err != nil {
		t.Fatal(err)
	}
	if err := h.root.compare(dir); err != nil {
		t.Error(err)
	}
	old, err := os.Stat(filepath.Join(dir, "old"))
	if err != nil {
		t.Fatal(err)
	}
	if twin, err := os.Stat(filepath.Join(dir, "twin")); err != nil || !os.SameFile(old, twin) {
		t.Errorf("the two names are not of one file (%v)", err)
	}
}

// The model notices files that are not what the trace says.
func TestCompare(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"another byte":   func(dir string) error { return os.WriteFile(filepath.Join(dir, "old"), []byte("x"), 0o600) },
		"a file more":    func(dir string) error { return os.WriteFile(filepath.Join(dir, "more"), nil, 0o600) },
		"a file missing": func(dir string) error { return os.Remove(filepath.Join(dir, "old")) },
	} {
		t.Run(name, func(t *testing.T) {
			h := follow(t, "")
			if err := h.root.compare(h.top); err != nil {
				t.Fatalf("before: %v", err)
			}
			if err := spoil(h.top); err != nil {
				t.Fatal(err)
			}
			if err := h.root.compare(h.top); err == nil {
				t.Error("it is not noticed")
			}
		})
	}
}

// Of calls under way in a process that is killed, the files themselves tell what has
// become.
func TestKilled(t *testing.T) {
	write := strings.Replace(writeOld("a", 2, 0), " = 1024", " <unfinished ...>", 1)
	write = strings.Replace(write, ") <unf", " <unf", 1)
	const rename = `1  rename("DIR/old", "DIR/young" <unfinished ...>` + "\n"
	for _, test := range []struct {
		name, trace   string
		file, content string // of a copy made after the kill
		before, after []string
	}{
		{"a write that was not made", write, "old", "oooo", []string{"old:aaoo", "old:aooo", "old:oaoo", "old:oooo"}, []string{"old:oooo"}},
		{"one that was made in part", write, "old", "aooo", []string{"old:aaoo", "old:aooo", "old:oaoo", "old:oooo"}, []string{"old:aooo", "old:oooo"}},
		{"a rename that was not made", rename, "old", "oooo", []string{"old:oooo", "young:oooo"}, []string{"old:oooo"}},
		{"one that was", rename, "young", "oooo", []string{"old:oooo", "young:oooo"}, []string{"old:oooo", "young:oooo"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			copied := t.TempDir()
			var content strings.Builder
			for _, letter := range test.content {
				content.WriteString(strings.Repeat(string(letter), 512))
			}
			if err := os.WriteFile(filepath.Join(copied, test.file), []byte(content.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			h := follow(t, test.trace+fmt.Sprintf(`3  write(7<NOTES>, "{\"Killed\":\"%s\"}", 1) = 1`+"\n", copied))
			if err := h.root.compare(copied); err != nil {
				t.Error(err)
			}
			for line, want := range map[int][]string{1: test.before, 2: test.after} {
				if got := outcomes(h, line); !slices.Equal(got, want) {
					t.Errorf("after line %d: got %q, want %q", line, got, want)
				}
			}
		})
	}
}

// So they do of a file that was being moved.
func TestKilledWhileMoving(t *testing.T) {
	for name, test := range map[string]struct {
		found string // the file of a copy made after the kill
		want  []string
	}{
		"not moved": {"old", []string{"old:oooo sub:[]"}},
		"moved":     {"sub/moved", []string{"old:oooo sub:[]", "old:oooo sub:[moved:oooo]", "sub:[]", "sub:[moved:oooo]"}},
	} {
		t.Run(name, func(t *testing.T) {
			copied := t.TempDir()
			if err := os.Mkdir(filepath.Join(copied, "sub"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(copied, test.found), []byte(strings.Repeat("o", 4*512)), 0o600); err != nil {
				t.Fatal(err)
			}
			move := strings.Replace(moveOld, ") = 0", " <unfinished ...>", 1)
			h := follow(t, makeSub+syncDir+move+fmt.Sprintf(`3  write(7<NOTES>, "{\"Killed\":\"%s\"}", 1) = 1`+"\n", copied))
			if err := h.root.compare(copied); err != nil {
				t.Error(err)
			}
			if got := outcomes(h, 4); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// What the model does not know it refuses.
func TestNotModelled(t *testing.T) {
	for name, line := range map[string]string{
		"writing through memory":    `1  mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 3<DIR/old>, 0) = 0x7f00`,
		"copying within the kernel": `1  copy_file_range(3<DIR/a>, NULL, 4<DIR/old>, NULL, 4096, 0) = 4096`,
		"appending":                 `1  openat(AT_FDCWD</>, "DIR/old", O_WRONLY|O_APPEND) = 3<DIR/old>`,
		"a file from elsewhere":     `1  rename("/elsewhere", "DIR/old") = 0`,
		"a file that is not there":  `1  rename("DIR/none", "DIR/old") = 0`,
		"moving a directory":        `1  rename("DIR/sub", "DIR/twig/sub") = 0`,
		"an unknown file":           `1  fsync(3<DIR/unknown>) = 0`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			h, err := newHistory(dir, dir, filepath.Join(dir, "notes"))
			if err != nil {
				t.Fatal(err)
			}
			h.root.entries["old"], h.root.entries["sub"], h.root.entries["twig"] = newNode(false), newNode(true), newNode(true)
			if err := readTrace(strings.NewReader(strings.ReplaceAll(line, "DIR", dir)+"\n"), dir, h); err == nil {
				t.Error("no error")
			}
		})
	}
}

// A fact has the value that was answered last, or one that was asked for since.
func TestLedger(t *testing.T) {
	fact := func(value string) map[string]string { return map[string]string{"state": value} }
	notes := []note{
		{Facts: fact("on"), Asked: true}, {Facts: fact("on"), Operation: "Enable", RequestID: "1"},
		{Facts: fact("off"), Asked: true}, {Facts: fact("on"), Asked: true}, {Facts: fact("on"), Operation: "Enable", RequestID: "2"},
	}
	for n, want := range []struct {
		states   []string
		answered int
	}{{nil, 0}, {[]string{"", "on"}, 0}, {[]string{"on"}, 1}, {[]string{"on", "off"}, 1}, {[]string{"on", "off"}, 1}, {[]string{"on"}, 2}} {
		l := newLedger(notes[:n])
		if got := l.facts["state"]; !slices.Equal(got, want.states) || len(l.answered) != want.answered {
			t.Errorf("after %d notes the state may be %q and %d requests are answered, want %q and %d", n, got, len(l.answered), want.states, want.answered)
		}
	}
}
