package keystore

import (
	"bytes"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// materialOperations are on the material of keys.
func (w *walk) materialOperations() []weighted {
	return []weighted{{30, w.rotateKey}, {40, w.importMaterial}, {20, w.deleteMaterial}}
}

func (w *walk) rotateKey() {
	ref, k := w.referByID()
	want := toRotate.answer(k)
	switch {
	case want != ok:
	case k.rotations >= maxOnDemandRotations && !k.external:
		want = tooMuch
	case k.external:
		want = wrongState // nothing was imported to take over
	}
	w.said("RotateKeyOnDemand", ref, w.rotateOnDemand(&ref), want)
	if want == ok {
		k.rotations++
	}
}

// ofImported is the answer of an operation on imported material.
func (k *modelKey) ofImported() Kind {
	if k != nil && !k.deleted && !k.external {
		return unsupported
	}
	return toImport.answer(k)
}

// importMaterial imports the material that a key had before, other material, or the first.
func (w *walk) importMaterial() {
	ref, k := w.referByID()
	want := k.ofImported()
	if want != ok {
		_, err := w.GetParametersForImport(w.as(admin), &kmsv1.GetParametersForImportRequest{
			KeyId: &ref, WrappingAlgorithm: wrapSHA1.Enum(), WrappingKeySpec: kmsv1.WrappingKeySpec_WRAPPING_KEY_SPEC_RSA_2048.Enum(),
		})
		w.said("GetParametersForImport", ref, err, want)
		return
	}
	material := k.material
	if material == nil || w.chance(4) {
		material = bytes.Repeat([]byte{byte(w.random.Uint32())}, 32)
	}
	if k.material != nil && !bytes.Equal(material, k.material) {
		want = annotationsv1.ErrorKind_ERROR_KIND_INCORRECT_KEY_MATERIAL
	}
	_, err := w.ImportKeyMaterial(w.as(admin), w.wrap(&ref, wrapSHA1, material))
	w.said("ImportKeyMaterial", ref, err, want)
	if want != ok {
		return
	}
	k.material, k.present = material, true
	if k.state == pendingImport {
		k.state = enabled
	}
}

func (w *walk) deleteMaterial() {
	ref, k := w.referByID()
	want := k.ofImported()
	_, err := w.DeleteImportedKeyMaterial(w.as(admin), &kmsv1.DeleteImportedKeyMaterialRequest{KeyId: &ref})
	w.said("DeleteImportedKeyMaterial", ref, err, want)
	if want == ok && k.present {
		k.present, k.state = false, pendingImport
	}
}
