using Akvam.Abi;

namespace Akvam.KvmTests.Time;

/// <summary>A guest that waits in a loop with PAUSE lets the host sleep, and is woken for what is asked of it.</summary>
public sealed class SpinningGuests
{
    /// <summary>pause; jmp to it: runs until the client's thread is asked to leave. Whether it sleeps then or not, it does so.</summary>
    [Fact]
    public void AKickEndsTheLoop()
    {
        using var guest = new Guest([0xF3, 0x90, 0xEB, 0xFC]);
        for (int n = 0; n < 20; n++)
        {
            using var later = new Timer(_ => guest.Vcpu.Kick(), null, 5, Timeout.Infinite);
            Assert.Equal(KvmExit.KVM_EXIT_INTR, guest.Vcpu.Run().Reason);
        }

        Assert.True(guest.Vcpu.EngineReport.Instructions > 20 * 1024);
    }
}
