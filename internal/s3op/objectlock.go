package s3op

import "time"

var (
	idLockMode      = named("object_lock_mode")
	idLockDate      = named("object_lock_retain_until_date")
	idLockLegalHold = named("object_lock_legal_hold_status")
	idContentMD5    = named("content_md5")
)

// lacksLock finds what is missing beside options of Object Lock: they go together, and S3
// takes no PUT that has any of them without a checksum.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html#API_PutObject_RequestSyntax
func (o Operation) lacksLock(v *values) error {
	mode, date := v[idLockMode], v[idLockDate]
	switch {
	case mode != "" && date == "":
		return refuse(idLockDate, "is missing: S3 takes it together with %q", idLockMode)
	case mode == "" && date != "":
		return refuse(idLockMode, `is missing: S3 takes it together with %q; write "GOVERNANCE" or "COMPLIANCE"`, idLockDate)
	case o != PutObject || mode == "" && v[idLockLegalHold] == "" || v[idContentMD5] != "":
		return nil
	}
	for _, id := range checksumIDs {
		if v[id] != "" {
			return nil
		}
	}
	locked := idLockMode
	if mode == "" {
		locked = idLockLegalHold
	}
	return refuse(locked, "needs %q or a checksum, such as %q, of what is to be put: S3 takes no PUT with Object Lock without", idContentMD5, checksumIDs[len(checksumIDs)-1])
}

// CheckTime refuses settled options that are over at a time. An object is locked until a
// date that is yet to come.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html#object-lock-retention-periods
func CheckTime(settled []Option, now time.Time) error {
	for _, opt := range settled {
		if opt.ID != idLockDate {
			continue
		}
		if t, err := time.Parse(time.RFC3339, opt.Value); err == nil && !t.After(now) {
			return refuse(opt.ID, "is over: S3 locks an object until a date that is yet to come")
		}
	}
	return nil
}
