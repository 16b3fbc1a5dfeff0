package keystore

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// Logins keeps in the metadata what is known of the logins to tokens, for all servers that
// share it.
type Logins struct {
	store metadata.Store
	scope scope
}

var _ hsmpool.LoginStore = (*Logins)(nil)

// NewLogins returns the Logins of an account. They write into the metadata: Bind comes
// first.
func NewLogins(store metadata.Store, account string) *Logins {
	return &Logins{store: store, scope: scope{account: account}}
}

// Update implements hsmpool.LoginStore.
func (l *Logins) Update(ctx context.Context, serial string, change func(*hsmpool.LoginHistory)) (hsmpool.LoginHistory, error) {
	for {
		before, err := l.try(ctx, l.scope.loginPath(serial), change)
		if !errors.Is(err, metadata.ErrConflict) {
			return before, err
		}
		if err := ctx.Err(); err != nil {
			return hsmpool.LoginHistory{}, err
		}
	}
}

// try changes the record at a path, unless others are faster.
func (l *Logins) try(ctx context.Context, path string, change func(*hsmpool.LoginHistory)) (hsmpool.LoginHistory, error) {
	was := new(storagev1.LoginRecord)
	revision, err := readValue(ctx, l.store, path, was)
	if err != nil {
		return hsmpool.LoginHistory{}, fmt.Errorf("reading what is known of the logins: %w", err)
	}
	before := loginHistory(was)
	after := before
	change(&after)
	is := loginRecord(after)
	if proto.Equal(was, is) {
		return before, nil
	}
	if _, err := replaceValue(ctx, l.store, path, is, revision); err != nil {
		return hsmpool.LoginHistory{}, fmt.Errorf("storing what is known of the logins: %w", err)
	}
	return before, nil
}

func loginHistory(r *storagev1.LoginRecord) hsmpool.LoginHistory {
	h := hsmpool.LoginHistory{Open: int(r.GetOpenAttempts())}
	for _, p := range r.GetRefused() {
		h.Refused = append(h.Refused, hsmpool.RefusedPIN{Salt: p.GetSalt(), Hash: p.GetHash(), At: p.GetRefusedAt().AsTime()})
	}
	return h
}

func loginRecord(h hsmpool.LoginHistory) *storagev1.LoginRecord {
	r := new(storagev1.LoginRecord)
	if h.Open > 0 {
		r.OpenAttempts = new(uint32(h.Open))
	}
	for _, p := range h.Refused {
		r.Refused = append(r.Refused, &storagev1.RefusedPinRecord{Salt: p.Salt, Hash: p.Hash, RefusedAt: timestamppb.New(p.At)})
	}
	return r
}
