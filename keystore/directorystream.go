package keystore

import (
	"cmp"
	"context"
	"iter"

	"google.golang.org/protobuf/proto"
)

// whileAllowed passes records on until the caller, who has opened a stream with
// a request, may not any more: it may have been deleted since, or its policies
// changed.
func whileAllowed[Rec any](ctx context.Context, k *Keystore, fullMethod string, req proto.Message, records iter.Seq2[Rec, error]) iter.Seq2[Rec, error] {
	caller, _ := CallerFrom(ctx)
	r := &request{k: k, method: k.api.Method(fullMethod), caller: caller, input: req}
	return func(yield func(Rec, error) bool) {
		for rec, err := range records {
			if err := cmp.Or(k.fresh(), r.authorize()); err != nil {
				yield(*new(Rec), err)
				return
			}
			if !yield(rec, err) {
				return
			}
		}
	}
}
