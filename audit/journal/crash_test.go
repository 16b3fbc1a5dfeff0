package journal

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

const crashDirEnv = "STRONGROOM_TEST_JOURNAL_CRASH_DIR"

// writeUntilKilled is the child of TestKilledWriterLosesNothing: it prints the
// number of each acknowledged record.
func writeUntilKilled(dir string) {
	j, _, err := Open(Options{Dir: dir, SegmentSize: 64 << 10, FirstSegmentSize: 16 << 10})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	acked := make(chan uint64)
	for w := range 8 {
		go func() {
			for i := 0; ; i++ {
				seq, err := j.Append(context.Background(), Entry{Kind: byte(w), Body: make([]byte, i%900)})
				if err != nil {
					return
				}
				acked <- seq
			}
		}()
	}
	for seq := range acked {
		if _, err := os.Stdout.WriteString(strconv.FormatUint(seq, 10) + "\n"); err != nil {
			return
		}
	}
}

func TestKilledWriterLosesNothing(t *testing.T) {
	dir := t.TempDir()
	for round := range 3 {
		var acked []uint64
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), crashDirEnv+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			seq, err := strconv.ParseUint(lines.Text(), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			if acked = append(acked, seq); len(acked) == 500*(round+1) {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the writer ended by itself")
		}
		checkAcknowledged(t, dir, acked)
	}
}

func checkAcknowledged(t *testing.T, dir string, acked []uint64) {
	t.Helper()
	before := mustVerify(t, dir)
	for _, seq := range acked {
		if seq > before.Last {
			t.Fatalf("record %d was acknowledged, the last one found is %d", seq, before.Last)
		}
	}
	j, found := mustOpen(t, Options{Dir: dir, SegmentSize: minSegmentSize})
	if found.LastSeq != before.Last || found.Clean {
		t.Errorf("recovery %+v, report before %+v", found, before)
	}
	if next := mustAppend(t, j, "on"); next != before.Last+1 {
		t.Errorf("next record has number %d, want %d", next, before.Last+1)
	}
	mustClose(t, j)
	mustVerify(t, dir)
}
