"""Decrypts a file: open.py KEY FROM TO."""

import sys

import aws_encryption_sdk
from aws_encryption_sdk import CommitmentPolicy, StrictAwsKmsMasterKeyProvider

key, sealed, plain = sys.argv[1:]
client = aws_encryption_sdk.EncryptionSDKClient(
    commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT
)
keys = StrictAwsKmsMasterKeyProvider(key_ids=[key])
with open(sealed, "rb") as source, open(plain, "wb") as target:
    with client.stream(mode="d", source=source, key_provider=keys) as decryptor:
        assert decryptor.header.encryption_context["tenant"] == "acme"
        for chunk in decryptor:
            target.write(chunk)
