KEY=$(aws kms create-key --description payroll --query KeyMetadata.Arn --output text)
aws kms create-alias --alias-name alias/payroll --target-key-id "$KEY"

printf 'attack at dawn' > order.txt
aws kms encrypt --key-id alias/payroll --plaintext fileb://order.txt --encryption-context tenant=acme \
    --query CiphertextBlob --output text | base64 -d > order.bin
aws kms decrypt --ciphertext-blob fileb://order.bin --encryption-context tenant=acme \
    --query Plaintext --output text | base64 -d
