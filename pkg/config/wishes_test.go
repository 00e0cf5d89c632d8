package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/member"
)

// An etcd where directors meet is read, printed, read again the same, and shown as an object of its own.
func TestWishes(t *testing.T) {
	const text = `[global_defs.wishes]
etcd = ["https://10.0.0.5:2379", "https://10.0.0.6:2379"]
prefix = "/lb/"
user = "ipvsd"
password_file = "/etc/ipvsd/etcd.password"
ca = "/ca.pem"
certificate = "/a.pem"
key = "/a.key"
`
	want := member.Source{Kind: member.Etcd, Name: "/lb/", At: "https://10.0.0.5:2379,https://10.0.0.6:2379", Access: member.Access{
		CA: "/ca.pem", Certificate: "/a.pem", Key: "/a.key", User: "ipvsd", Secret: "/etc/ipvsd/etcd.password",
	}}
	c, found := Load("x.toml", []byte(text))
	if found.Err() != nil || c.GlobalDefs.Wishes != want {
		t.Fatalf("%v: %+v", found, c)
	}
	printed := Format(c)
	again, found := Load("x.toml", printed)
	if found.Err() != nil || again.GlobalDefs.Wishes != want {
		t.Errorf("%v: %s", found, printed)
	}
	c, found = Load("x.toml", []byte("[global_defs.wishes]\netcd = \"http://[::1]:2379\"\n"))
	if found.Err() != nil || c.GlobalDefs.Wishes != (member.Source{Kind: member.Etcd, Name: "/ipvsd/wishes/", At: "http://[::1]:2379"}) {
		t.Errorf("%v: %+v", found, c)
	}
}

// What can't be is an error where it is written.
func TestWishesWrong(t *testing.T) {
	for text, want := range map[string]string{
		"prefix = \"/lb/\"": "etcd",
		"etcd = []":         "etcd names no endpoint",
		"etcd = \"http://root:pw@10.0.0.5:2379\"":      "an address with a password is nothing for this file",
		"etcd = \"http://10.0.0.5\"\nuser = \"ipvsd\"": "user works only with password_file",
		"etcd = \"http://10.0.0.5\"\nkey = \"/a.key\"": "key works only with certificate",
		"etcd = \"http://10.0.0.5\"\naddress = \"x\"":  "address",
	} {
		_, found := Load("x.toml", []byte("[global_defs.wishes]\n"+text+"\n"))
		if err := found.Err(); err == nil || !strings.Contains(fmt.Sprint(found), want) {
			t.Errorf("%s: %v", text, found)
		}
	}
}
