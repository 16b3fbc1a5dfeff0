package journal

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// Appends, trims, faults and restarts in any order, against a list of what must be there.
func TestTrimAgainstAModel(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			m := &trimModel{rand: rand.New(rand.NewPCG(seed, 7)), first: 1}
			d, o := faulty(t)
			m.disk, m.options = d, o
			m.open(t)
			for range 150 {
				m.step(t)
			}
			m.check(t)
		})
	}
}

// trimModel is a journal and what it must hold.
type trimModel struct {
	rand    *rand.Rand
	disk    *disk
	options Options
	j       *Journal
	state   *counter
	bodies  []string // of all records that there ever were
	first   uint64   // of the oldest one left
}

func (m *trimModel) open(t *testing.T) {
	m.state = &counter{}
	m.options.State = m.state
	m.j, _ = mustOpen(t, m.options)
	m.learn(t)
}

// learn takes in the checkpoints, which the journal writes of itself.
func (m *trimModel) learn(t *testing.T) {
	t.Helper()
	from := uint64(len(m.bodies)) + 1
	for r, err := range m.j.Scan(from) {
		if err != nil {
			t.Fatal(err)
		}
		m.bodies = append(m.bodies, string(r.Body))
	}
}

func (m *trimModel) step(t *testing.T) {
	switch n := m.rand.IntN(20); {
	case n < 12:
		if m.rand.IntN(10) == 0 {
			m.failOnce()
		}
		mustAppend(t, m.j, strings.Repeat("x", m.rand.IntN(1500)))
		m.learn(t)
	case n < 17:
		m.trim(t)
	case n < 19:
		mustClose(t, m.j)
		m.open(t)
	default:
		m.options.Dir = copyDir(t, m.options.Dir) // a crash
		mustClose(t, m.j)
		m.open(t)
	}
}

// failOnce has the next write to a segment fail.
func (m *trimModel) failOnce() {
	failed := false
	m.disk.set(func(kind string, _ int64, size int) (int, error) {
		if kind != "segment" || failed {
			return size, nil
		}
		failed = true
		return size / 2, syscall.EIO
	})
}

func (m *trimModel) trim(t *testing.T) {
	before := m.rand.Uint64N(uint64(len(m.bodies)) + 3)
	starts := m.j.Starts()
	got := mustTrim(t, m.j, before)
	want := m.first
	for _, start := range starts {
		if start <= before && start <= uint64(len(m.bodies)) {
			want = max(want, start)
		}
	}
	if got.First != want || m.j.First() != want {
		t.Errorf("trimmed %+v before record %d, want record %d first; segments begin with %d", got, before, want, starts)
	}
	m.first = want
	if m.rand.IntN(3) == 0 {
		m.check(t)
	}
}

func (m *trimModel) check(t *testing.T) {
	t.Helper()
	want := m.bodies[m.first-1:]
	got, err := collect(m.j.Scan(0))
	if err != nil || !slices.Equal(want, got) {
		t.Fatalf("%d records are there, %v, want the %d from %d on", len(got), err, len(want), m.first)
	}
	if got, err := bodies(m.options.Dir, 0); err != nil || !slices.Equal(want, got) {
		t.Fatalf("Read has %d records, %v", len(got), err)
	}
	r := mustVerify(t, m.options.Dir)
	if r.First != m.first || r.Last != uint64(len(m.bodies)) || r.Head != m.j.Head().Hash || r.Removed != m.first-1 {
		t.Fatalf("report %+v, want the records %d to %d", r, m.first, len(m.bodies))
	}
}
