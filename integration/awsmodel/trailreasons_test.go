package awsmodel_test

import "maps"

// Why the services by which the trails are read differ.
const (
	nobodyKnows  = "nobody here knows it, so it is absent"
	ownException = "outside of it the answer is an InvalidMaxResultsException, and not the protocol's"
	aMapOfKnown  = "a map whose keys are known: a structure has the same form on the wire"
	besideCBOR   = "the model prefers RPC v2 CBOR; that is served beside JSON, which every service has"
	noLeast      = "the model says how long it may be, and here that takes a least length too: 0"
	noSuchState  = "nothing here is ever in it: clusters and HSMs are not made, changed or deleted"
	onlyReadable = "it is answered and never asked for; PEM has more characters than the model's pattern"
)

// everywhere are the errors that all services give and no model of theirs has.
func everywhere(own map[string]string) map[string]string {
	all := map[string]string{
		"AccessDeniedException":               common,
		"ThrottlingException":                 common,
		"ValidationException":                 common,
		"KMSInternalException":                duringWork,
		"ExpiredTokenException":               signature,
		"IncompleteSignatureException":        signature,
		"InvalidSignatureException":           signature,
		"MissingAuthenticationTokenException": signature,
		"UnrecognizedClientException":         signature,
		"MalformedHttpRequestException":       protocol,
		"RequestEntityTooLargeException":      protocol,
		"SerializationException":              protocol,
		"UnknownOperationException":           protocol,
		"InternalFailure":                     duringWork,
		"RequestAbortedException":             duringWork,
		"RequestTimeoutException":             duringWork,
		"ServiceUnavailableException":         duringWork,
	}
	maps.Copy(all, own)
	return all
}

func cloudTrailReasons() map[string]string {
	return everywhere(map[string]string{
		"LookupEventsRequest MaxResults size":                       ownException,
		"GetTrailStatusResponse LatestCloudWatchLogsDeliveryError":  nobodyKnows,
		"GetTrailStatusResponse LatestCloudWatchLogsDeliveryTime":   nobodyKnows,
		"GetTrailStatusResponse LatestDeliveryAttemptSucceeded":     nobodyKnows,
		"GetTrailStatusResponse LatestDeliveryAttemptTime":          nobodyKnows,
		"GetTrailStatusResponse LatestNotificationAttemptSucceeded": nobodyKnows,
		"GetTrailStatusResponse LatestNotificationAttemptTime":      nobodyKnows,
		"GetTrailStatusResponse LatestNotificationError":            nobodyKnows,
		"GetTrailStatusResponse LatestNotificationTime":             nobodyKnows,
		"GetTrailStatusResponse StartLoggingTime":                   nobodyKnows,
		"GetTrailStatusResponse StopLoggingTime":                    nobodyKnows,
		"GetTrailStatusResponse TimeLoggingStarted":                 nobodyKnows,
		"GetTrailStatusResponse TimeLoggingStopped":                 nobodyKnows,
		"Trail CloudWatchLogsLogGroupArn":                           nobodyKnows,
		"Trail CloudWatchLogsRoleArn":                               nobodyKnows,
		"Trail KmsKeyId":                                            nobodyKnows,
		"Trail RecursiveLogging":                                    nobodyKnows,
		"Trail SnsTopicARN":                                         nobodyKnows,
		"Trail SnsTopicName":                                        nobodyKnows,
	})
}

func logsReasons() map[string]string {
	all := everywhere(map[string]string{
		"DataProtectionStatus *":                    nobodyKnows,
		"InheritedProperty *":                       nobodyKnows,
		"LogGroup bearerTokenAuthenticationEnabled": nobodyKnows,
		"LogGroup dataProtectionStatus":             nobodyKnows,
		"LogGroup deletionProtectionEnabled":        nobodyKnows,
		"LogGroup inheritedProperties":              nobodyKnows,
		"LogGroup kmsKeyId":                         nobodyKnows,
		"LogGroup retentionInDays":                  nobodyKnows,
		"LogGroup retentionPolicyName":              nobodyKnows,
		"LogStream uploadSequenceToken":             nobodyKnows,
	})
	delete(all, "ServiceUnavailableException") // which they declare
	return all
}

func cloudWatchReasons() map[string]string {
	return everywhere(map[string]string{
		"service":                                  besideCBOR,
		"ListMetricsInput Dimensions size":         noLeast,
		"Metric Dimensions size":                   noLeast,
		"GetMetricStatisticsInput Dimensions size": noLeast,
	})
}

func cloudHSMReasons() map[string]string {
	return everywhere(map[string]string{
		"BackupPolicy *":                                 nobodyKnows,
		"BackupRetentionPolicy *":                        nobodyKnows,
		"BackupRetentionType *":                          nobodyKnows,
		"Certificates AwsHardwareCertificate *":          nobodyKnows,
		"Certificates ClusterCertificate pattern":        onlyReadable,
		"Certificates ClusterCsr *":                      nobodyKnows,
		"Certificates HsmCertificate *":                  nobodyKnows,
		"Certificates ManufacturerHardwareCertificate *": nobodyKnows,
		"Cluster BackupPolicy":                           nobodyKnows,
		"Cluster BackupRetentionPolicy":                  nobodyKnows,
		"Cluster CreateTimestamp":                        nobodyKnows,
		"Cluster HsmType *":                              nobodyKnows,
		"Cluster HsmTypeRollbackExpiration":              nobodyKnows,
		"Cluster Mode":                                   nobodyKnows,
		"Cluster NetworkType":                            nobodyKnows,
		"Cluster PreCoPassword *":                        nobodyKnows,
		"Cluster SecurityGroup *":                        nobodyKnows,
		"Cluster SourceBackupId *":                       nobodyKnows,
		"Cluster StateMessage size":                      noLeast,
		"Cluster SubnetMapping *":                        nobodyKnows,
		"Cluster TagList *":                              nobodyKnows,
		"Cluster VpcId *":                                nobodyKnows,
		"ClusterMode *":                                  nobodyKnows,
		"ClusterState *":                                 noSuchState,
		"DescribeClustersRequest Filters":                aMapOfKnown,
		"DescribeClustersRequest NextToken size":         noLeast,
		"DescribeClustersResponse NextToken size":        noLeast,
		"Hsm AvailabilityZone *":                         nobodyKnows,
		"Hsm EniId *":                                    nobodyKnows,
		"Hsm EniIp *":                                    nobodyKnows,
		"Hsm EniIpV6":                                    nobodyKnows,
		"Hsm HsmType *":                                  nobodyKnows,
		"Hsm SubnetId *":                                 nobodyKnows,
		"HsmState *":                                     noSuchState,
		"NetworkType *":                                  nobodyKnows,
		"Tag *":                                          nobodyKnows,
		"service":                                        besideCBOR,
		"Filters *":                                      aMapOfKnown,
	})
}
