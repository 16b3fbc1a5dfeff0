export AWS_ENDPOINT_URL_CLOUDTRAIL=$AWS_ENDPOINT_URL_KMS
export AWS_ENDPOINT_URL_CLOUDWATCH_LOGS=$AWS_ENDPOINT_URL_KMS
export AWS_ENDPOINT_URL_CLOUDHSM_V2=$AWS_ENDPOINT_URL_KMS

aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=CreateKey \
    --max-results 1 --query 'Events[].[EventTime,Username,EventName,Resources[0].ResourceName]' --output text
aws cloudtrail get-trail-status --name strongroom
aws cloudtrail list-public-keys --start-time 2020-01-01 --query 'PublicKeyList[].Fingerprint' --output text

CLUSTER=$(aws cloudhsmv2 describe-clusters --filters states=ACTIVE --query 'Clusters[0].ClusterId' --output text)
GROUP=/aws/cloudhsm/$CLUSTER
aws logs describe-log-streams --log-group-name "$GROUP" --query 'logStreams[].logStreamName' --output text
aws logs filter-log-events --log-group-name "$GROUP" --filter-pattern 'CN_GENERATE_KEY -Error' \
    --limit 1 --query 'events[].message' --output text
