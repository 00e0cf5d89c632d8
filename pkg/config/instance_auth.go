package config

import (
	"slices"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// authentication resolves how adverts prove who sent them.
func (r *routers) authentication(b *block, i *Instance) {
	var plain, signed *block
	for _, part := range b.parts {
		if part.in == inAuth {
			plain = part
		} else {
			signed = part
		}
	}
	if plain != nil {
		r.password(plain, i)
	}
	if signed != nil {
		r.hmac(signed, i)
	}
	if plain != nil && signed != nil {
		r.fail(plain.at(), "leave one of them out; on its own auth_hmac is the safer one", "authentication contradicts auth_hmac")
	}
}

func (r *routers) password(b *block, i *Instance) {
	word, v := lookup[string]("auth_type", b)
	pass, shown := lookup[string]("auth_pass", b)
	file, kept := lookup[string]("auth_pass_file", b)
	if b.lacks("auth_type") {
		r.fail(b.at(), `write auth_type = "PASS"`, "authentication has no auth_type")
	}
	switch {
	case shown != nil && kept != nil:
		r.fail(kept.key, "leave one of them out", "auth_pass_file contradicts auth_pass")
	case b.lacks("auth_pass", "auth_pass_file"):
		r.fail(b.at(), `write auth_pass, 8 bytes at most, or auth_pass_file = "/etc/ipvsd/vrrp.pass"`, "authentication has no auth_pass")
	case file != "":
		i.PasswordFile = file
		r.mention(file, kept.at)
	}
	i.Auth.Type = map[string]vrrp.AuthType{"PASS": vrrp.AuthPASS, "AH": vrrp.AuthAH}[word]
	copy(i.Auth.Password[:], pass)
	switch {
	case i.Version == 3:
		r.fail(b.at(), "leave it out, or use auth_hmac, or version 2", "version 3 of VRRP has no authentication")
	case i.Auth.Type == vrrp.AuthAH && i.Initial == vrrp.Active && i.Priority != 255:
		// The others refuse adverts whose counter is below the last one's, and nobody told it that yet.
		r.warn(v.at, `write state = "BACKUP"`, "with auth_type AH it begins as BACKUP: it must hear first how far the others have counted")
		i.Initial = vrrp.Backup
	}
}

func (r *routers) hmac(b *block, i *Instance) {
	if b.lacks("key") {
		r.fail(b.at(), `write key = { 1 = "file:/etc/ipvsd/vrrp.key" }`, "auth_hmac has no key")
	}
	keys, keyed := lookup[map[uint8]hmacKey]("key", b)
	h := &vrrp.HMAC{Keys: make(map[uint8][]byte), TimeWindow: i.timeWindow()}
	var ids []uint8
	for id, k := range keys {
		ids = append(ids, id)
		if k.file == "" {
			h.Keys[id] = k.bytes
			continue
		}
		if i.KeyFiles == nil {
			i.KeyFiles = make(map[uint8]string)
		}
		i.KeyFiles[id] = k.file
		r.mention(k.file, keyed.at)
	}
	active, v := lookup[int64]("active_key", b)
	switch slices.Sort(ids); {
	case len(ids) == 0:
	case v == nil:
		h.Active = ids[0]
	case slices.Contains(ids, uint8(active)):
		h.Active = uint8(active)
	case v.data != nil:
		r.fail(v.at, "write the ID of one of the keys", "there is no key %d", active)
	}
	replay, _ := lookup[string]("anti_replay", b)
	h.Monotonic = replay == "monotonic"
	if d, v := lookup[time.Duration]("time_window", b); v != nil && v.data != nil {
		h.TimeWindow = d
	}
	mode, _ := lookup[string]("mode", b)
	h.Mode = map[string]vrrp.HMACMode{"permissive": vrrp.Permissive, "receive-only": vrrp.ReceiveOnly}[mode]
	i.HMAC = h
}

// timeWindow is time_window if it is not written.
func (i *Instance) timeWindow() time.Duration { return max(3*i.AdvertInterval, 5*time.Second) }
