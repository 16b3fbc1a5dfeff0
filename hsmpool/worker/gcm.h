// The part of PKCS#11 2.40 that the hot path needs, and two functions on it.
// Base types, the mechanism and its parameters as in sections 2 and 6 of the
// standard, unpacked as on every Unix.

#ifndef STRONGROOM_GCM_H
#define STRONGROOM_GCM_H

// strongroom_library is a loaded library's function table.
typedef struct strongroom_library strongroom_library;

// The C_ function that a result is about.
enum strongroom_function {
	STRONGROOM_NONE,
	STRONGROOM_GENERATE_RANDOM,
	STRONGROOM_ENCRYPT_INIT,
	STRONGROOM_ENCRYPT,
	STRONGROOM_DECRYPT_INIT,
	STRONGROOM_DECRYPT,
};

// strongroom_result is the last call made, its return code, and the bytes written.
typedef struct {
	enum strongroom_function function;
	unsigned long rv;
	unsigned long length;
} strongroom_result;

// strongroom_load loads the library and returns its table, or NULL and why. It is
// never unloaded: libraries leave threads and exit handlers behind.
strongroom_library *strongroom_load(const char *path, const char **why);

// strongroom_seal encrypts by AES-GCM with a 96-bit IV and a 128-bit tag. iv_random:
// the IV is drawn by C_GenerateRandom, else it goes in as it is; what the token left
// in it can be read from iv. plain_random: the plaintext is drawn likewise.
strongroom_result strongroom_seal(strongroom_library *library,
	unsigned long session, unsigned long key,
	unsigned char *iv, int iv_random, unsigned long iv_bits,
	unsigned char *plain, unsigned long plain_length, int plain_random,
	unsigned char *aad, unsigned long aad_length,
	unsigned char *out, unsigned long out_size);

// strongroom_open decrypts what strongroom_seal made. On failure out is wiped.
strongroom_result strongroom_open(strongroom_library *library,
	unsigned long session, unsigned long key,
	unsigned char *iv, unsigned long iv_bits,
	unsigned char *sealed, unsigned long sealed_length,
	unsigned char *aad, unsigned long aad_length,
	unsigned char *out, unsigned long out_size);

#endif
