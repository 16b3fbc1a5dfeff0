package journal

import (
	"fmt"
	"sync"
	"testing"
)

// BenchmarkAppend writes records of 660 bytes, about an API event.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			j, _, err := Open(Options{Dir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			body := make([]byte, 660-recordOverhead)
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					for i := w; i < b.N; i += writers {
						if _, err := j.Append(b.Context(), Entry{Kind: 2, Body: body}); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			if err := j.Close(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
	}
}
