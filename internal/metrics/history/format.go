package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/strongroom-kms/strongroom/keystore/metric"
)

// What the first line of a file says.
const (
	formatName    = "strongroom metric history"
	formatVersion = 1
)

// line is a line of a file: the first one, one of series, or one of the points of a minute.
type line struct {
	Format  string       `json:"format,omitempty"`
	Version int          `json:"version,omitempty"`
	Series  []seriesLine `json:"series,omitempty"`
	Minute  *time.Time   `json:"minute,omitempty"`
	Points  []pointLine  `json:"points,omitempty"`
}

// seriesLine gives a series a number, which no other has in the file.
type seriesLine struct {
	Number     int         `json:"number"`
	Namespace  string      `json:"namespace"`
	Name       string      `json:"name"`
	Dimensions [][2]string `json:"dimensions,omitempty"` // name and value
	Unit       string      `json:"unit"`
}

// maxSamples bounds the samples of a minute: some thousands are taken in one, and points of the
// same minute are added.
const maxSamples = 1 << 20

// pointLine is the series' number, how many samples there are, the least and the greatest of
// them, and their sum.
type pointLine [5]float64

// book is what a file has said so far of series, and up to where it is good.
type book struct {
	numbers map[string]int        // by the keys of series
	series  map[int]metric.Series // by numbers
	next    int                   // the least number that is free
	size    int64                 // of its whole lines, in bytes
}

func newBook() *book {
	return &book{numbers: map[string]int{}, series: map[int]metric.Series{}}
}

func (b *book) enter(number int, s metric.Series) {
	b.numbers[s.Key()], b.series[number] = number, s
	b.next = max(b.next, number+1)
}

// encode returns the lines that a minute adds to the file, and what the book says with them.
func (b *book) encode(m *minute) ([]byte, *book, error) {
	after := &book{numbers: make(map[string]int, len(b.numbers)), series: make(map[int]metric.Series, len(b.series))}
	for number, s := range b.series {
		after.enter(number, s)
	}
	var lines []line
	if b.size == 0 {
		lines = append(lines, line{Format: formatName, Version: formatVersion})
	}
	var fresh []seriesLine
	points := line{Minute: &m.at}
	m.each(func(s metric.Series, p metric.Point) {
		number, known := after.numbers[s.Key()]
		if !known {
			number = after.next
			after.enter(number, s)
			fresh = append(fresh, describe(number, s))
		}
		points.Points = append(points.Points, pointLine{float64(number), float64(p.Samples), p.Min, p.Max, p.Sum})
	})
	if len(fresh) > 0 {
		lines = append(lines, line{Series: fresh})
	}
	text, err := encodeLines(append(lines, points))
	after.size = b.size + int64(len(text))
	return text, after, err
}

func encodeLines(lines []line) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	for _, l := range lines {
		if err := encoder.Encode(l); err != nil {
			return nil, err
		}
	}
	return text.Bytes(), nil
}

func describe(number int, s metric.Series) seriesLine {
	l := seriesLine{Number: number, Namespace: s.Namespace, Name: s.Name, Unit: s.Unit}
	for _, d := range s.Dimensions {
		l.Dimensions = append(l.Dimensions, [2]string{d.Name, d.Value})
	}
	return l
}

func (l seriesLine) series() metric.Series {
	s := metric.Series{Namespace: l.Namespace, Name: l.Name, Unit: l.Unit}
	for _, d := range l.Dimensions {
		s.Dimensions = append(s.Dimensions, metric.Dimension{Name: d[0], Value: d[1]})
	}
	return s
}

// errForeign is the error of a file whose first line is not that of this format.
var errForeign = errors.New("its first line is not that of a metric history of version 1")

// decode reads a file. What follows the last line's end is left out: its writing was
// cut off. Lines in the midst that cannot be read are left out, too, and told of by the error,
// beside which what could be read counts. The book of a foreign file is empty.
func decode(text []byte, give func(metric.Series, metric.Point)) (*book, error) {
	b := newBook()
	whole := text[:bytes.LastIndexByte(text, '\n')+1]
	var bad error
	for number := 1; len(whole) > 0; number++ {
		text, rest, _ := bytes.Cut(whole, []byte{'\n'})
		err := b.decodeLine(number == 1, text, give)
		if errors.Is(err, errForeign) {
			return newBook(), err
		}
		if err != nil {
			bad = fmt.Errorf("line %d: %w", number, err)
		}
		b.size += int64(len(text)) + 1
		whole = rest
	}
	return b, bad
}

func (b *book) decodeLine(first bool, text []byte, give func(metric.Series, metric.Point)) error {
	var l line
	err := json.Unmarshal(text, &l)
	if first && (err != nil || l.Format != formatName || l.Version != formatVersion) {
		return errForeign
	}
	if err != nil {
		return err
	}
	for _, s := range l.Series {
		b.enter(s.Number, s.series())
	}
	for _, p := range l.Points {
		s, known := b.series[int(p[0])]
		if !known || l.Minute == nil || p[1] < 1 {
			return errors.New("a point is of no series, of no minute or of no sample")
		}
		if p[1] > maxSamples {
			return errors.New("a point is of as many samples as cannot be")
		}
		give(s, metric.Point{Time: l.Minute.UTC(), Samples: uint32(p[1]), Min: p[2], Max: p[3], Sum: p[4]})
	}
	return nil
}
