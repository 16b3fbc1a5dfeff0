// The part of PKCS#11 2.40 that the use of keys needs, and functions on it that make
// several calls in one crossing. Base types, the mechanism and its parameters as in sections 2 and 6 of the
// standard, unpacked as on every Unix.

#ifndef STRONGROOM_LIBRARY_H
#define STRONGROOM_LIBRARY_H

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
	STRONGROOM_SIGN_INIT,
	STRONGROOM_SIGN,
	STRONGROOM_GET_ATTRIBUTE_VALUE,
	STRONGROOM_CREATE_OBJECT,
};

// The most calls that one of the functions below makes.
enum { STRONGROOM_MOST_CALLS = 4 };

// strongroom_call is a call that was made, and how long it took.
typedef struct {
	enum strongroom_function function;
	unsigned long long nanoseconds;
} strongroom_call;

// strongroom_result is the last call made, its return code, and the bytes written. calls
// are all that were made; octets_in and octets_out are the bytes that went into them and
// came out, as the Go type counts has it. now is when the last one ended.
typedef struct {
	enum strongroom_function function;
	unsigned long rv;
	unsigned long length;
	unsigned long octets_in, octets_out;
	unsigned count;
	strongroom_call calls[STRONGROOM_MOST_CALLS];
	unsigned long long now;
} strongroom_result;

// strongroom_attribute is a CK_ATTRIBUTE.
typedef struct {
	unsigned long type;
	void *value;
	unsigned long value_length;
} strongroom_attribute;

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

// strongroom_sign signs, or makes a MAC, by any mechanism. params are the mechanism's
// parameters, without pointers to Go's memory in them.
strongroom_result strongroom_sign(strongroom_library *library,
	unsigned long session, unsigned long key,
	unsigned long mechanism, void *params, unsigned long params_size,
	unsigned char *in, unsigned long in_length,
	unsigned char *out, unsigned long out_size);

// strongroom_decrypt decrypts likewise. On failure out is wiped.
strongroom_result strongroom_decrypt(strongroom_library *library,
	unsigned long session, unsigned long key,
	unsigned long mechanism, void *params, unsigned long params_size,
	unsigned char *in, unsigned long in_length,
	unsigned char *out, unsigned long out_size);

// strongroom_value reads CKA_VALUE, so that no copy of it is left in memory that is freed.
strongroom_result strongroom_value(strongroom_library *library,
	unsigned long session, unsigned long object,
	unsigned char *out, unsigned long out_size);

// strongroom_create makes an object of a template, so that no copy of the secret in it is
// left in memory that is freed.
strongroom_result strongroom_create(strongroom_library *library,
	unsigned long session,
	strongroom_attribute *attributes, unsigned long count,
	unsigned long *object);

#endif
