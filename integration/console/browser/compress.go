package browser

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"slices"
)

// compress turns a PNG into one of at most 256 colours: those that it has most of. Of
// pages, which have few, that leaves hardly a trace.
func compress(picture []byte) ([]byte, error) {
	from, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return nil, fmt.Errorf("reading a picture: %w", err)
	}
	to := image.NewPaletted(from.Bounds(), commonColours(from))
	nearest := map[color.Color]uint8{}
	for y := from.Bounds().Min.Y; y < from.Bounds().Max.Y; y++ {
		for x := from.Bounds().Min.X; x < from.Bounds().Max.X; x++ {
			c := from.At(x, y)
			i, known := nearest[c]
			if !known {
				i = uint8(to.Palette.Index(c)) //nolint:gosec // a palette of 256 colours at most
				nearest[c] = i
			}
			to.SetColorIndex(x, y, i)
		}
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, to); err != nil {
		return nil, fmt.Errorf("writing a picture: %w", err)
	}
	return b.Bytes(), nil
}

// commonColours returns the colours that most pixels have.
func commonColours(picture image.Image) color.Palette {
	pixels := map[color.Color]int{}
	for y := picture.Bounds().Min.Y; y < picture.Bounds().Max.Y; y++ {
		for x := picture.Bounds().Min.X; x < picture.Bounds().Max.X; x++ {
			pixels[picture.At(x, y)]++
		}
	}
	palette := make(color.Palette, 0, len(pixels))
	for c := range pixels {
		palette = append(palette, c)
	}
	slices.SortFunc(palette, func(a, b color.Color) int { return cmp.Compare(pixels[b], pixels[a]) })
	return palette[:min(len(palette), 256)]
}
