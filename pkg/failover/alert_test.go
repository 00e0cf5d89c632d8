package failover

import (
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// What is told, as lines of a FIFO, in the order of what happens.
func TestLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		tells := instance("VI_2", 52)
		tells.Notify.PriorityChanges = true
		cfg := config.VRRP{
			Instances: []*config.Instance{instance("VI_1", 51), tells}, Groups: []*config.Group{groupOf("VG1", "VI_1", "VI_2")},
		}
		s.Change(&cfg)
		synctest.Wait()
		s.report([]vrrp.Action{
			became("VI_1", vrrp.Initialize, vrrp.Backup), became("VI_2", vrrp.Initialize, vrrp.Backup),
			vrrp.GroupBecame{Group: "VG1", From: vrrp.Initialize, To: vrrp.Backup},
		})
		s.report([]vrrp.Action{
			became("VI_2", vrrp.Backup, vrrp.Active), became("VI_1", vrrp.Backup, vrrp.Active),
			vrrp.GroupBecame{Group: "VG1", From: vrrp.Backup, To: vrrp.Active},
			vrrp.Noticed{Instance: "VI_1", What: vrrp.RxLowerPriority, Priority: 100},
			vrrp.Noticed{Instance: "VI_1", What: vrrp.PriorityChanged, Priority: 90}, // it has no notify_priority_changes
			vrrp.Noticed{Instance: "VI_2", What: vrrp.PriorityChanged, Priority: 110},
			vrrp.Noticed{Instance: "VI_2", What: vrrp.NotHandedOver, Priority: 110},
			became("VI_2", vrrp.Active, vrrp.Fault),
			became("VI_2", vrrp.Initialize, vrrp.Fault), // no news
			vrrp.Noticed{Instance: "VI_2", What: vrrp.PriorityChanged, Priority: 120},
		})
		synctest.Wait()
		want := `INSTANCE "VI_1" BACKUP 100
INSTANCE "VI_2" BACKUP 100
GROUP "VG1" BACKUP 0
INSTANCE "VI_2" MASTER 100
INSTANCE "VI_1" MASTER 100
GROUP "VG1" MASTER 0
INSTANCE "VI_1" MASTER_RX_LOWER_PRI 100
INSTANCE "VI_2" MASTER_PRIORITY 110
INSTANCE "VI_2" FAULT 100
INSTANCE "VI_2" BACKUP_PRIORITY 120
`
		if got := s.lines(); got != want {
			t.Errorf("the lines are\n%s\nwant\n%s", got, want)
		}
		again := cfg
		again.AllStates = true
		s.Change(&again)
		synctest.Wait()
		if got, want := s.lines(), "INSTANCE \"VI_1\" MASTER 90\nINSTANCE \"VI_2\" FAULT 120\nGROUP \"VG1\" MASTER 0\n"; got != want {
			t.Errorf("after a reload the lines are\n%s\nwant\n%s", got, want)
		}
		s.stop()
		if got, want := s.lines(), "INSTANCE \"VI_1\" STOP 90\nINSTANCE \"VI_2\" STOP 120\nGROUP \"VG1\" STOP 0\n"; got != want {
			t.Errorf("at the end the lines are\n%s\nwant\n%s", got, want)
		}
	})
}

// There is mail of states, once each, where it is wanted; not of the end.
func TestMail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		told := instance("VI_1", 51)
		told.Notify.Mail = true
		group := groupOf("VG1", "VI_1", "VI_2")
		group.Notify.Mail = true
		s.Change(&config.VRRP{Instances: []*config.Instance{told, instance("VI_2", 52)}, Groups: []*config.Group{group}})
		synctest.Wait()
		s.report([]vrrp.Action{
			became("VI_1", vrrp.Initialize, vrrp.Backup), became("VI_2", vrrp.Initialize, vrrp.Backup),
			became("VI_1", vrrp.Backup, vrrp.Active),
			vrrp.GroupBecame{Group: "VG1", From: vrrp.Backup, To: vrrp.Active},
			vrrp.Noticed{Instance: "VI_1", What: vrrp.RxLowerPriority, Priority: 100},
			became("VI_1", vrrp.Active, vrrp.Fault), became("VI_1", vrrp.Initialize, vrrp.Fault),
		})
		synctest.Wait()
		s.Change(new(config.VRRP))
		s.stop()
		var got []string
		for _, n := range s.news {
			if n.Mail {
				got = append(got, n.Name+" "+n.Kind)
			}
		}
		want := []string{"VI_1 BACKUP", "VI_1 MASTER", "VG1 MASTER", "VI_1 FAULT"}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})
}
