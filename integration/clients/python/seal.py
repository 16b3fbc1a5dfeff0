"""Encrypts a file: seal.py KEY FROM TO."""

import sys

import aws_encryption_sdk
from aws_encryption_sdk import CommitmentPolicy, StrictAwsKmsMasterKeyProvider

key, plain, sealed = sys.argv[1:]
client = aws_encryption_sdk.EncryptionSDKClient(
    commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT
)
keys = StrictAwsKmsMasterKeyProvider(key_ids=[key])
with open(plain, "rb") as source, open(sealed, "wb") as target:
    with client.stream(
        mode="e", source=source, key_provider=keys, encryption_context={"tenant": "acme"}
    ) as encryptor:
        for chunk in encryptor:
            target.write(chunk)
