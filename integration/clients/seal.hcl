seal "awskms" {
  region     = "us-east-1"
  endpoint   = "http://127.0.0.1:7401"
  kms_key_id = "alias/unseal"
}
