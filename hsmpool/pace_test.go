package hsmpool

import (
	"testing"
	"time"
)

// life is that of a worker that was ready 100 ms after its start.
type life struct {
	lost   time.Duration // since its start; 0: the start failed
	served bool
}

func TestPace(t *testing.T) {
	crash := life{lost: 110 * time.Millisecond}
	for _, test := range []struct {
		name        string
		lives       []life
		least, most time.Duration // of the pause after the last
	}{
		{"lived long", []life{{lost: 2 * time.Second}}, 0, 0},
		{"served for a moment", []life{{lost: 300 * time.Millisecond, served: true}}, 0, 0},
		{"crashes on its first requests", []life{{lost: 110 * time.Millisecond, served: true}}, 140 * time.Millisecond, 140 * time.Millisecond},
		{"never served", []life{crash}, 50 * time.Millisecond, 150 * time.Millisecond},
		{"does not start", []life{{}}, 50 * time.Millisecond, 150 * time.Millisecond},
		{"never served, five times", []life{crash, {}, crash, {}, crash}, 800 * time.Millisecond, 2400 * time.Millisecond},
		{"never served, twenty times", make([]life, 20), 5 * time.Second, 15 * time.Second},
		{"served after many failures", append(make([]life, 20), life{lost: time.Second, served: true}), 0, 0},
		{"never served, after one that had", append(make([]life, 20), life{lost: time.Second, served: true}, life{}), 50 * time.Millisecond, 150 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, now, pause := newPace(), time.Now(), time.Duration(0)
			for _, l := range test.lives {
				p.start(now)
				if l.lost == 0 {
					pause = p.afterFailure()
					continue
				}
				pause = p.afterLoss(now.Add(l.lost), proved(now.Add(l.lost), now.Add(100*time.Millisecond), l.served))
			}
			if pause < test.least || pause > test.most {
				t.Errorf("pause %v, want %v to %v", pause, test.least, test.most)
			}
		})
	}
}

// TestManyKillsUnderLoad: a worker killed every 300 ms for ever is always replaced at once.
func TestManyKillsUnderLoad(t *testing.T) {
	p, now := newPace(), time.Now()
	for range 100 {
		p.start(now)
		lost := now.Add(300 * time.Millisecond)
		if pause := p.afterLoss(lost, true); pause != 0 {
			t.Fatalf("pause %v", pause)
		}
		now = lost
	}
}
