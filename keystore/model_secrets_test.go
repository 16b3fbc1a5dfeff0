package keystore

import (
	"bytes"
	"fmt"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// secretContext is a random encryption context, or none.
func (w *walk) secretContext() map[string]string {
	if w.chance(2) {
		return nil
	}
	return map[string]string{"tenant": fmt.Sprint(w.random.Uint32())}
}

// keep keeps a secret, in the place of another one if there are many.
func (w *walk) keep(s modelSecret) {
	if len(w.secrets) < maxModelSecrets {
		w.secrets = append(w.secrets, s)
		return
	}
	w.secrets[w.random.IntN(len(w.secrets))] = s
}

func (w *walk) encryptSecret() {
	ref, k := w.refer()
	s := modelSecret{key: k, plaintext: fmt.Append(nil, w.random.Uint64()), context: w.secretContext()}
	res, err := w.Encrypt(w.as(admin), &kmsv1.EncryptRequest{KeyId: &ref, Plaintext: s.plaintext, EncryptionContext: s.context})
	want := toUse.answer(k)
	w.said("Encrypt", ref, err, want)
	if want == ok {
		s.ciphertext = res.GetCiphertextBlob()
		w.keep(s)
	}
}

func (w *walk) generateDataKey() {
	ref, k := w.refer()
	s := modelSecret{key: k, context: w.secretContext()}
	res, err := w.GenerateDataKey(w.as(admin), &kmsv1.GenerateDataKeyRequest{KeyId: &ref, NumberOfBytes: new(int32(16)), EncryptionContext: s.context})
	want := toUse.answer(k)
	w.said("GenerateDataKey", ref, err, want)
	if want == ok {
		s.ciphertext, s.plaintext = res.GetCiphertextBlob(), res.GetPlaintext()
		w.keep(s)
	}
}

// source is one of the secrets and how a request names its key, if it does.
type source struct {
	modelSecret
	ref   *string
	named *modelKey
}

// source picks a secret. It is false when there is none.
func (w *walk) source() (source, bool) {
	if len(w.secrets) == 0 {
		return source{}, false
	}
	s := source{modelSecret: w.secrets[w.random.IntN(len(w.secrets))]}
	s.named = s.key
	switch w.random.IntN(4) {
	case 0:
		ref, k := w.refer()
		s.ref, s.named = &ref, k
	case 1:
		s.ref = &s.key.arn
	}
	return s, true
}

// found is the answer while the key is looked for: that of a key which only the
// ciphertext names is not given away.
func (s source) found() Kind {
	kind := toKnow.answer(s.named)
	if kind != ok && s.ref == nil {
		return denied
	}
	return kind
}

// decrypts is the answer once the key is found.
func (s source) decrypts() Kind {
	if kind := toUse.answer(s.named); kind != ok {
		return kind
	}
	if s.named != s.key {
		return otherKey
	}
	return ok
}

func (w *walk) decryptSecret() {
	s, picked := w.source()
	if !picked {
		return
	}
	want := firstOf(s.found, s.decrypts)
	if want == ok && w.chance(8) {
		s.context, want = map[string]string{"tenant": "another"}, garbled
	}
	res, err := w.Decrypt(w.as(admin), &kmsv1.DecryptRequest{CiphertextBlob: s.ciphertext, KeyId: s.ref, EncryptionContext: s.context})
	w.said("Decrypt", fmt.Sprint("of ", s.key.id), err, want)
	if want == ok && !bytes.Equal(res.GetPlaintext(), s.plaintext) {
		w.t.Errorf("what %s encrypted is decrypted wrongly", s.key.id)
	}
}

func (w *walk) reEncryptSecret() {
	s, picked := w.source()
	if !picked {
		return
	}
	ref, to := w.refer()
	again := modelSecret{key: to, plaintext: s.plaintext, context: w.secretContext()}
	want := firstOf(s.found, func() Kind { return toKnow.answer(to) }, s.decrypts, func() Kind { return toUse.answer(to) })
	res, err := w.ReEncrypt(w.as(admin), &kmsv1.ReEncryptRequest{
		CiphertextBlob: s.ciphertext, SourceKeyId: s.ref, SourceEncryptionContext: s.context,
		DestinationKeyId: &ref, DestinationEncryptionContext: again.context,
	})
	w.said("ReEncrypt", fmt.Sprint("from ", s.key.id, " to ", ref), err, want)
	if want == ok {
		again.ciphertext = res.GetCiphertextBlob()
		w.keep(again)
	}
}

// firstOf is the first answer that is a refusal, or ok.
func firstOf(answers ...func() Kind) Kind {
	for _, answer := range answers {
		if kind := answer(); kind != ok {
			return kind
		}
	}
	return ok
}
