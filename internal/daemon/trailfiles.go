package daemon

import "github.com/strongroom-kms/strongroom/keystore"

// trailFiles is what AWS clients are told of where the trails' files go.
func (d *daemon) trailFiles() keystore.TrailFiles {
	bucket, prefix := d.config.TrailLocation()
	return keystore.TrailFiles{Name: d.config.Audit.Trail, Bucket: bucket, Prefix: prefix, Status: d.trailFilesStatus}
}

// trailFilesStatus asks the export, which is opened after the key store.
func (d *daemon) trailFilesStatus() keystore.TrailFilesStatus {
	e := d.export.Load()
	if e == nil {
		return keystore.TrailFilesStatus{}
	}
	s := e.Status()
	told := keystore.TrailFilesStatus{LatestLogFile: s.LastLogFile, LogFileError: s.LogFileError, DigestError: s.DigestError}
	for _, digest := range s.Digests {
		if digest.End.After(told.LatestDigest) {
			told.LatestDigest = digest.End
		}
	}
	return told
}
