package chaos

import (
	"context"
	"fmt"
	"time"

	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// settle waits until each HSM takes requests, the key store is connected, and each
// shared key encrypts.
func (w *world) settle(ctx context.Context) error {
	start := time.Now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		ill := w.illness(ctx)
		if ill == nil {
			return nil
		}
		if time.Since(start) > w.Recovery {
			return fmt.Errorf("not well again after %v: %w", w.Recovery, ill)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// illness returns why not all is well.
func (w *world) illness(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, serverDeadline+slack)
	defer cancel()
	if w.storeID == "" {
		return w.hsmIllness(ctx, w.members())
	}
	if err := w.hsmIllness(ctx, w.hsms); err != nil {
		return err
	}
	if err := w.storeIllness(ctx); err != nil {
		return err
	}
	return w.keyIllness(ctx)
}

func (w *world) hsmIllness(ctx context.Context, of []*hsm) error {
	hsms, err := w.describe(ctx)
	if err != nil {
		return err
	}
	for _, h := range of {
		d := hsms[h.id]
		if d.GetState() != operatorv1.HsmState_HSM_STATE_READY {
			return fmt.Errorf("%s is %v (worker %d): %s", h.id, d.GetState(), d.GetWorkerPid(), d.GetReason())
		}
	}
	return nil
}

// describe returns what the server says of the HSMs, by their ids.
func (w *world) describe(ctx context.Context) (map[string]*operatorv1.HsmDescription, error) {
	var header harness.Header
	res, err := w.link.get().Operator.DescribeHsms(ctx, &operatorv1.DescribeHsmsRequest{}, header.Option())
	w.note("DescribeHsms", &header, err)
	if err != nil {
		return nil, fmt.Errorf("describing the HSMs: %w", err)
	}
	hsms := map[string]*operatorv1.HsmDescription{}
	for _, d := range res.GetHsms() {
		hsms[d.GetHsmId()] = d
	}
	return hsms, nil
}

func (w *world) storeIllness(ctx context.Context) error {
	var header harness.Header
	res, err := w.link.get().KMS.DescribeCustomKeyStores(ctx, &kmsv1.DescribeCustomKeyStoresRequest{CustomKeyStoreId: &w.storeID}, header.Option())
	w.note("DescribeCustomKeyStores", &header, err)
	if err != nil {
		return fmt.Errorf("describing the custom key store: %w", err)
	}
	for _, s := range res.GetCustomKeyStores() {
		if s.GetConnectionState() != kmsv1.ConnectionStateType_CONNECTION_STATE_TYPE_CONNECTED {
			return fmt.Errorf("the custom key store is %v (%v)", s.GetConnectionState(), s.GetConnectionErrorCode())
		}
	}
	return nil
}

// keyIllness tries each shared key once.
func (w *world) keyIllness(ctx context.Context) error {
	for _, k := range w.checker.keys {
		if !k.symmetric() {
			continue
		}
		var header harness.Header
		_, err := w.link.get().KMS.Encrypt(ctx, &kmsv1.EncryptRequest{KeyId: &k.arn, Plaintext: w.checker.hidden}, header.Option())
		w.note("Encrypt", &header, err)
		if err != nil {
			return fmt.Errorf("encrypting with %s: %w", k.arn, err)
		}
	}
	return nil
}
