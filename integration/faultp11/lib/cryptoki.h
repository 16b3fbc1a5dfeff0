/*
 * The part of PKCS#11 2.40 that this library looks at: types and numbers with
 * the standard's names, unpacked as on every Unix.
 */
#ifndef CRYPTOKI_H
#define CRYPTOKI_H

typedef unsigned long ck_ulong;
typedef unsigned char ck_byte;

struct ck_mechanism {
	ck_ulong mechanism;
	void *parameter;
	ck_ulong parameter_length;
};

struct ck_attribute {
	ck_ulong type;
	void *value;
	ck_ulong length;
};

/* CK_GCM_PARAMS */
struct ck_gcm_params {
	ck_byte *iv;
	ck_ulong iv_length;
	ck_ulong iv_bits;
	ck_byte *aad;
	ck_ulong aad_length;
	ck_ulong tag_bits;
};

/* CK_RSA_PKCS_OAEP_PARAMS */
struct ck_oaep_params {
	ck_ulong hash;
	ck_ulong mgf;
	ck_ulong source;
	void *label;
	ck_ulong label_length;
};

/* CK_ECDH1_DERIVE_PARAMS */
struct ck_ecdh_params {
	ck_ulong kdf;
	ck_ulong shared_length;
	ck_byte *shared;
	ck_ulong public_length;
	ck_byte *public;
};

struct ck_version {
	ck_byte major, minor;
};

/* CK_SLOT_INFO */
struct ck_slot_info {
	ck_byte description[64];
	ck_byte manufacturer[32];
	ck_ulong flags;
	struct ck_version hardware, firmware;
};

/* CK_TOKEN_INFO */
struct ck_token_info {
	ck_byte label[32];
	ck_byte manufacturer[32];
	ck_byte model[16];
	ck_byte serial[16];
	ck_ulong flags;
	ck_ulong max_sessions, sessions, max_rw_sessions, rw_sessions;
	ck_ulong max_pin, min_pin;
	ck_ulong total_public, free_public, total_private, free_private;
	struct ck_version hardware, firmware;
	ck_byte time[16];
};

/* CK_SESSION_INFO */
struct ck_session_info {
	ck_ulong slot;
	ck_ulong state;
	ck_ulong flags;
	ck_ulong error;
};

enum {
	CKR_OK = 0x000,
	CKR_SLOT_ID_INVALID = 0x003,
	CKR_GENERAL_ERROR = 0x005,
	CKR_FUNCTION_FAILED = 0x006,
	CKR_ARGUMENTS_BAD = 0x007,
	CKR_ATTRIBUTE_READ_ONLY = 0x010,
	CKR_ATTRIBUTE_TYPE_INVALID = 0x012,
	CKR_ATTRIBUTE_VALUE_INVALID = 0x013,
	CKR_DATA_LEN_RANGE = 0x021,
	CKR_DEVICE_REMOVED = 0x032,
	CKR_ENCRYPTED_DATA_LEN_RANGE = 0x041,
	CKR_FUNCTION_NOT_SUPPORTED = 0x054,
	CKR_MECHANISM_INVALID = 0x070,
	CKR_MECHANISM_PARAM_INVALID = 0x071,
	CKR_OBJECT_HANDLE_INVALID = 0x082,
	CKR_OPERATION_ACTIVE = 0x090,
	CKR_PIN_INCORRECT = 0x0a0,
	CKR_PIN_LEN_RANGE = 0x0a2,
	CKR_PIN_LOCKED = 0x0a4,
	CKR_SESSION_COUNT = 0x0b1,
	CKR_SESSION_HANDLE_INVALID = 0x0b3,
	CKR_TEMPLATE_INCOMPLETE = 0x0d0,
	CKR_TEMPLATE_INCONSISTENT = 0x0d1,
	CKR_TOKEN_NOT_PRESENT = 0x0e0,
	CKR_TOKEN_NOT_RECOGNIZED = 0x0e1,
	CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT = 0x0f2,
	CKR_USER_NOT_LOGGED_IN = 0x101,
	CKR_USER_TYPE_INVALID = 0x103,
	CKR_WRAPPED_KEY_LEN_RANGE = 0x112,
	CKR_BUFFER_TOO_SMALL = 0x150,
};

enum {
	CKF_TOKEN_PRESENT = 0x1,
	CKF_RW_SESSION = 0x2,
	CKF_TOKEN_INITIALIZED = 0x400,
	CKF_USER_PIN_COUNT_LOW = 0x10000,
	CKF_USER_PIN_FINAL_TRY = 0x20000,
	CKF_USER_PIN_LOCKED = 0x40000,
	CKU_USER = 1,
	CKS_RW_PUBLIC_SESSION = 2,
	CKD_NULL = 1,
	CKM_RSA_PKCS_OAEP = 0x0009,
	CKM_EC_KEY_PAIR_GEN = 0x1040,
	CKM_ECDH1_DERIVE = 0x1050,
	CKM_RSA_AES_KEY_WRAP = 0x1054,
	CKM_AES_GCM = 0x1087,
};

/* Of CloudHSM. */
#define CKM_CLOUDHSM_AES_KEY_WRAP_NO_PAD 0x80002109UL
#define CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD 0x8000216fUL

enum {
	CKO_PUBLIC_KEY = 2,
	CKO_PRIVATE_KEY = 3,
	CKO_SECRET_KEY = 4,
	CKK_AES = 0x1f,
};

enum {
	CKA_CLASS = 0x000,
	CKA_TOKEN = 0x001,
	CKA_PRIVATE = 0x002,
	CKA_LABEL = 0x003,
	CKA_VALUE = 0x011,
	CKA_TRUSTED = 0x086,
	CKA_CHECK_VALUE = 0x090,
	CKA_KEY_TYPE = 0x100,
	CKA_ID = 0x102,
	CKA_SENSITIVE = 0x103,
	CKA_ENCRYPT = 0x104,
	CKA_DECRYPT = 0x105,
	CKA_WRAP = 0x106,
	CKA_UNWRAP = 0x107,
	CKA_SIGN = 0x108,
	CKA_VERIFY = 0x10a,
	CKA_DERIVE = 0x10c,
	CKA_MODULUS = 0x120,
	CKA_MODULUS_BITS = 0x121,
	CKA_PUBLIC_EXPONENT = 0x122,
	CKA_PRIVATE_EXPONENT = 0x123,
	CKA_PRIME_1 = 0x124,
	CKA_PRIME_2 = 0x125,
	CKA_EXPONENT_1 = 0x126,
	CKA_EXPONENT_2 = 0x127,
	CKA_COEFFICIENT = 0x128,
	CKA_VALUE_LEN = 0x161,
	CKA_EXTRACTABLE = 0x162,
	CKA_LOCAL = 0x163,
	CKA_NEVER_EXTRACTABLE = 0x164,
	CKA_ALWAYS_SENSITIVE = 0x165,
	CKA_MODIFIABLE = 0x170,
	CKA_DESTROYABLE = 0x172,
	CKA_EC_PARAMS = 0x180,
	CKA_EC_POINT = 0x181,
	CKA_WRAP_WITH_TRUSTED = 0x210,
};

#endif
