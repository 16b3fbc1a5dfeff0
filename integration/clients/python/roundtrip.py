import boto3

kms = boto3.client("kms")
key = kms.create_key(Description="payroll")["KeyMetadata"]["Arn"]
context = {"tenant": "acme"}
sealed = kms.encrypt(KeyId=key, Plaintext=b"attack at dawn", EncryptionContext=context)
opened = kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=context)
print(opened["Plaintext"].decode())
