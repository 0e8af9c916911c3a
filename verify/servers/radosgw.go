package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// installCeph fetches Debian's Ceph. Nothing of it is started by the packages: without a configuration in /etc/ceph
// their services have nothing to do.
func installCeph(ctx context.Context) error {
	missing := false
	for _, program := range []string{"radosgw", "radosgw-admin", "ceph", "ceph-mon", "ceph-osd", "ceph-authtool", "monmaptool"} {
		if _, err := exec.LookPath(program); err != nil {
			missing = true
		}
	}
	if !missing {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return errors.New("radosgw: not installed, and apt-get as root is the way to get it here: apt-get install radosgw ceph-mon ceph-osd ceph-common faketime")
	}
	fmt.Fprintln(os.Stderr, "radosgw: installing radosgw, ceph-mon, ceph-osd, ceph-common and faketime with apt-get")
	apt := func(arguments ...string) error {
		cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-q", "-o", "DPkg::Lock::Timeout=300"}, arguments...)...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		_, err := output(cmd)
		return err
	}
	packages := []string{"install", "-y", "--no-install-recommends", "radosgw", "ceph-mon", "ceph-osd", "ceph-common", "faketime"}
	if apt(packages...) == nil {
		return nil
	}
	// The package lists may be missing or old.
	if err := apt("update"); err != nil {
		return err
	}
	return apt(packages...)
}

// startRadosgw starts the smallest Ceph cluster that carries an object gateway: one monitor, one store in memory.
// https://docs.ceph.com/en/pacific/install/manual-deployment/
func startRadosgw(ctx context.Context, in installation) (_ *server, err error) {
	if err := installCeph(ctx); err != nil {
		return nil, err
	}
	dir := filepath.Join(in.temp, "radosgw")
	for _, d := range []string{dir, filepath.Join(dir, "mon"), filepath.Join(dir, "osd"), filepath.Join(dir, "rgw")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return nil, err
		}
	}
	monPort, err := freePort()
	if err != nil {
		return nil, err
	}
	gatewayPort, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &server{endpoint: fmt.Sprintf("http://127.0.0.1:%d", gatewayPort), region: region, root: permanentCredentials()}

	cluster, osd := uuid(), uuid()
	keyring, monmap := filepath.Join(dir, "keyring"), filepath.Join(dir, "monmap")
	conf := filepath.Join(dir, "ceph.conf")
	err = os.WriteFile(conf, []byte(strings.NewReplacer("$DIR", dir, "$FSID", cluster, "$MON", fmt.Sprint(monPort),
		"$STSKEY", rand.Text()[:16]).Replace(cephConf)), 0o600)
	if err != nil {
		return nil, err
	}

	var children []*child
	s.stop = func() {
		for i := len(children) - 1; i >= 0; i-- { // the gateway before what it stands on
			children[i].stop()
		}
	}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	// One program after another; each is one step of the manual.
	command := func(name string, arguments ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, name, arguments...)
		cmd.Env = append(os.Environ(), "CEPH_CONF="+conf)
		cmd.Dir = dir
		return cmd
	}
	run := func(name string, arguments ...string) {
		if err == nil {
			_, err = output(command(name, arguments...))
		}
	}
	daemon := func(name string, arguments ...string) *child {
		if err != nil {
			return nil
		}
		var c *child
		cmd := exec.Command(name, append(arguments, "--foreground")...)
		cmd.Env, cmd.Dir = append(os.Environ(), "CEPH_CONF="+conf), dir
		if c, err = startChild(cmd, dir); err == nil {
			children = append(children, c)
		}
		return c
	}
	run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "--name", "mon.", "--cap", "mon", "allow *")
	run("ceph-authtool", keyring, "--gen-key", "--name", "client.admin", "--cap", "mon", "allow *", "--cap", "osd", "allow *")
	run("ceph-authtool", keyring, "--gen-key", "--name", "osd.0", "--cap", "mon", "allow profile osd", "--cap", "osd", "allow *")
	run("monmaptool", "--create", "--addv", "a", fmt.Sprintf("[v2:127.0.0.1:%d]", monPort), "--fsid", cluster, monmap)
	run("ceph-mon", "--mkfs", "--id", "a", "--monmap", monmap, "--keyring", keyring)
	daemon("ceph-mon", "--id", "a")
	run("ceph", "--connect-timeout", "30", "osd", "new", osd)
	run("ceph-osd", "--id", "0", "--mkfs", "--osd-uuid", osd)
	daemon("ceph-osd", "--id", "0")
	run("radosgw-admin", "user", "create", "--uid=verify", "--display-name=verify", "--caps=roles=*",
		"--access-key="+s.root.AccessKeyID, "--secret-key="+s.root.SecretAccessKey)
	run("radosgw-admin", "role", "create", "--role-name=signer", "--assume-role-policy-doc="+
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam:::user/verify"]},"Action":["sts:AssumeRole"]}]}`)
	run("radosgw-admin", "role-policy", "put", "--role-name=signer", "--policy-name=everything", "--policy-doc="+
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":"arn:aws:s3:::*"}]}`)
	serve := func(port int) []string {
		return []string{"--name", "client.admin", fmt.Sprintf("--rgw_frontends=beast endpoint=127.0.0.1:%d", port)}
	}
	gateway := daemon("radosgw", serve(gatewayPort)...)
	if err != nil {
		return nil, err
	}
	if err = s.waitFor(ctx, gateway); err != nil {
		return nil, err
	}
	if s.signer, err = s.assumeRole(ctx, sessionLength); err != nil {
		return nil, err
	}
	if s.other, err = s.assumeRole(ctx, sessionLength); err != nil {
		return nil, err
	}
	if s.ending, err = s.assumeRole(ctx, shortSession); err != nil {
		return nil, err
	}
	s.end = untilExpired(s.ending)
	s.role = "arn:aws:iam:::role/signer"
	s.later = func(ctx context.Context, ahead time.Duration) (string, func(), error) {
		port, err := freePort()
		if err != nil {
			return "", nil, err
		}
		later := filepath.Join(dir, "later")
		if err := os.Mkdir(later, 0o700); err != nil {
			return "", nil, err
		}
		// The library rather than the program faketime, which would stand between us and the gateway. Only the time of
		// day is moved; what waits for a while waits as long as ever.
		library, err := filepath.Glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
		if err != nil || len(library) == 0 {
			return "", nil, errors.New("radosgw: the package faketime has no libfaketimeMT")
		}
		cmd := exec.Command("radosgw", append(serve(port), "--foreground")...)
		cmd.Env = append(os.Environ(), "CEPH_CONF="+conf,
			"LD_PRELOAD="+library[0], fmt.Sprintf("FAKETIME=+%.3f", ahead.Seconds()), "FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1")
		cmd.Dir = dir
		c, err := startChild(cmd, later)
		if err != nil {
			return "", nil, err
		}
		at := &server{endpoint: fmt.Sprintf("http://127.0.0.1:%d", port)}
		if err := at.waitFor(ctx, c); err != nil {
			c.stop()
			return "", nil, err
		}
		return at.endpoint, c.stop, nil
	}
	return s, nil
}

// uuid is a random one: https://www.rfc-editor.org/rfc/rfc9562#section-5.4
func uuid() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// cephConf: all on 127.0.0.1, one copy of everything, sessions that may be short, server-side encryption without TLS.
const cephConf = `[global]
fsid = $FSID
mon_host = [v2:127.0.0.1:$MON/0]
mon_initial_members = a
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_ipv6 = false
keyring = $DIR/keyring
run_dir = $DIR
log_file = $DIR/$name.log
admin_socket = $DIR/$name.$pid.asok
mon_data = $DIR/mon
mon_cluster_log_file = $DIR/cluster.log
osd_data = $DIR/osd
osd_objectstore = memstore
memstore_device_bytes = 1073741824
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
rgw_data = $DIR/rgw
rgw_s3_auth_use_sts = true
rgw_sts_key = $STSKEY
rgw_sts_min_session_duration = 1
rgw_crypt_require_ssl = false
rgw_crypt_s3_kms_backend = testing
rgw_crypt_s3_kms_encryption_keys = verify=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=
`
