// Package sealfile is the sealed file: a file of any size, encrypted under a
// data key of its own, with that data key, wrapped by a KMS key, in front.
//
// The format is described byte by byte in docs/formats/sealed-file.md. A short
// header of ours (magic, version, wrapped data key) is followed by a stream of
// Tink's streaming AEAD, AES-GCM-HKDF with 1 MiB segments, whose associated
// data is the header. So every bit of the file is authenticated, in order, to
// its end, and memory use does not depend on the file's size (about 2 MiB).
//
// The package knows nothing of servers: the data key comes from a WrapFunc and
// is recovered by an UnwrapFunc. Data keys are wiped after use. Tink keeps a
// copy of the key, and buffers of plaintext, that cannot be wiped from outside;
// they are garbage once Seal or Open has returned.
package sealfile
