eval "$(strongroom principal create-key arn:aws:iam::111122223333:user/bob)"
export AWS_ENDPOINT_URL_KMS=https://kms.example.org:7401
export AWS_REGION=eu-central-1 AWS_DEFAULT_REGION=eu-central-1
export AWS_CA_BUNDLE=/etc/strongroom/ca.pem NODE_EXTRA_CA_CERTS=/etc/strongroom/ca.pem
