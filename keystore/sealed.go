package keystore

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/keystore/blob"
)

// sealSecret encrypts a secret of the service's own under a sealing key in the
// default HSM: AES-GCM, bound to the name of whose secret it is. It returns the IV
// and the ciphertext. The error is the HSM's.
func (p *proof) sealSecret(ctx context.Context, id hsmpool.ObjectID, secret []byte, of string) ([]byte, error) {
	ctx, hsm, err := p.hsm(ctx)
	if err != nil {
		return nil, err
	}
	p.material = id
	s, err := hsm.Seal(ctx, id, secret, []byte(of))
	p.note(s.Trace, err)
	if err != nil {
		return nil, err
	}
	return append(s.IV[:], s.Ciphertext...), nil
}

// openSecret decrypts what sealSecret has encrypted. The caller wipes it. The error
// is the HSM's.
func (p *proof) openSecret(ctx context.Context, id hsmpool.ObjectID, sealed []byte, of string) ([]byte, error) {
	ctx, hsm, err := p.hsm(ctx)
	if err != nil {
		return nil, err
	}
	if len(sealed) < blob.IVSize {
		return nil, fmt.Errorf("the sealed secret of %s has %d bytes", of, len(sealed))
	}
	p.material = id
	o, err := hsm.Open(ctx, id, sealed[:blob.IVSize], sealed[blob.IVSize:], []byte(of))
	p.note(o.Trace, err)
	if err != nil {
		return nil, err
	}
	return o.Plaintext, nil
}

// undoMaking destroys a key of the service's own that was made for a record which could
// not be stored, unless the record may be there after all. kept says that it is there.
func (k *Keystore) undoMaking(ctx context.Context, p *proof, id hsmpool.ObjectID, path string, record proto.Message) (kept bool, err error) {
	kept, err = k.stored(ctx, path, record)
	if err != nil {
		return false, fmt.Errorf("the key %s was kept, because its record may have been stored: %w", id, err)
	}
	if kept {
		return true, fmt.Errorf("the key %s was kept: its record was stored although storing it failed", id)
	}
	_, err = p.destroy(ctx, id)
	return false, err
}
