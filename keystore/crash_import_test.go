package keystore

import (
	"bytes"
	"os"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// addImported adds a key whose material was imported, and one whose material is
// wrapped and awaited.
func (p *startingPoint) addImported(s *service) {
	s.t.Helper()
	for _, name := range []string{"imported", "awaiting"} {
		spec, usage := kmsv1.KeySpec_KEY_SPEC_SYMMETRIC_DEFAULT, encryptDecrypt
		res, err := s.CreateKey(s.as(admin), &kmsv1.CreateKeyRequest{Description: &name, KeySpec: &spec, KeyUsage: &usage, Origin: external.Enum()})
		s.must(err)
		id := res.KeyMetadata.KeyId
		p.names[uuid.MustParse(*id)] = name
		req := s.wrap(id, wrapSHA1, bytes.Repeat([]byte{7}, 32))
		if name == "awaiting" {
			b, err := proto.Marshal(req)
			s.must(err)
			s.must(os.WriteFile(s.path("import"), b, 0o600))
			continue
		}
		_, err = s.ImportKeyMaterial(s.as(admin), req)
		s.must(err)
		p.sealed[name], err = s.encrypt(*id)
		s.must(err)
	}
}

// importOperations are about imported key material.
func importOperations() []operation {
	return []operation{
		{name: "ImportKeyMaterial", undone: undone,
			do: asks((*Keystore).ImportKeyMaterial, func(s *service) *kmsv1.ImportKeyMaterialRequest {
				b, err := os.ReadFile(s.path("import"))
				s.must(err)
				req := new(kmsv1.ImportKeyMaterialRequest)
				s.must(proto.Unmarshal(b, req))
				return req
			}),
			apply: func(w world) {
				w.set("awaiting", func(k *worldKey) { k.State, k.Materials = enabled, 1 })
			}},
		{name: "DeleteImportedKeyMaterial", undone: noEffect,
			do: asks((*Keystore).DeleteImportedKeyMaterial, func(s *service) *kmsv1.DeleteImportedKeyMaterialRequest {
				return &kmsv1.DeleteImportedKeyMaterialRequest{KeyId: s.named("imported")}
			}),
			apply: func(w world) { w.set("imported", func(k *worldKey) { k.State = pendingImport }) }},
	}
}
