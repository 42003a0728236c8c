using Akvam.Abi;

namespace Akvam.KvmTests.Memory;

/// <summary>[KVM 4.8] [KVM 4.117] [KVM 7.18]</summary>
public sealed class DirtyLog
{
    // mov ax, 2000h; mov ds, ax; l: mov byte [0], 1; out 1, al; mov byte [3000h], 1; out 2, al; jmp l
    private static ReadOnlySpan<byte> Writer => [0xB8, 0x00, 0x20, 0x8E, 0xD8, 0xC6, 0x06, 0x00, 0x00, 0x01, 0xE6, 0x01, 0xC6, 0x06, 0x00, 0x30, 0x01, 0xE6, 0x02, 0xEB, 0xF0];

    private static Guest Create(out GuestMemory logged)
    {
        var guest = new Guest(Writer);
        logged = guest.Vm.AllocateMemory(0x8000);
        guest.Vm.MapMemory(1, 0x2_0000, logged, flags: KvmMemory.KVM_MEM_LOG_DIRTY_PAGES);
        return guest;
    }

    private static ulong Read(Guest guest)
    {
        var bitmap = new ulong[1];
        guest.Vm.GetDirtyLog(1, bitmap);
        return bitmap[0];
    }

    [Fact]
    public void WritesOfTheGuestAreSeenOnceAndAgainAfterEachReading()
    {
        using Guest guest = Create(out _);
        Assert.Equal(0ul, Read(guest));
        Assert.Equal(1, guest.Vcpu.Run().Io.Port);
        Assert.Equal(0b1ul, Read(guest));
        Assert.Equal(0ul, Read(guest));
        Assert.Equal(2, guest.Vcpu.Run().Io.Port);
        Assert.Equal(0b1000ul, Read(guest));
        Assert.Equal(1, guest.Vcpu.Run().Io.Port);
        Assert.Equal(2, guest.Vcpu.Run().Io.Port);
        Assert.Equal(0b1001ul, Read(guest));
    }

    /// <summary>A client with a screen reads its log many times a second: host code of the guest stays, and still tells of each first write, by loops that access the page again and again, too.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void HostCodeOutlivesTheReading(bool clear)
    {
        // mov ax, 2000h; mov ds, ax; n: mov cx, 100; l: mov byte [0], 1; inc byte [3000h]; loop l; out 1, al; jmp n
        using var guest = new Guest(
            [0xB8, 0x00, 0x20, 0x8E, 0xD8, 0xB9, 0x64, 0x00, 0xC6, 0x06, 0x00, 0x00, 0x01, 0xFE, 0x06, 0x00, 0x30, 0xE2, 0xF5, 0xE6, 0x01, 0xEB, 0xEE],
            options: new VmOptions { TranslateAfter = 1 }.WithEngine("translator"));
        var cap = new kvm_enable_cap { cap = KvmCap.KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 };
        cap.args[0] = KvmMemory.KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE;
        if (clear)
        {
            guest.Vm.EnableCap(cap);
        }

        guest.Vm.MapMemory(1, 0x2_0000, guest.Vm.AllocateMemory(0x8000), flags: KvmMemory.KVM_MEM_LOG_DIRTY_PAGES);
        string translated = "";
        for (int i = 0; i < 20; i++)
        {
            Assert.Equal(1, guest.Vcpu.Run().Io.Port);
            if (i == 10)
            {
                translated = Translated(guest);
            }

            Assert.Equal(0b1001ul, Read(guest));
            if (clear)
            {
                guest.Vm.ClearDirtyLog(1, 0, 8, [0b1001ul]);
            }

            Assert.Equal(0ul, Read(guest));
        }

        Assert.Equal(translated, Translated(guest));
        Assert.DoesNotContain(" 0 blocks", translated, StringComparison.Ordinal);
    }

    private static string Translated(Guest guest) => guest.Vcpu.EngineReport.ToString().Split('\n').Single(line => line.Contains("blocks translated", StringComparison.Ordinal));

    [Fact]
    public void WritesOfTheClientThroughTheVmAreSeen()
    {
        using Guest guest = Create(out _);
        guest.Vm.WriteMemory(0x2_1FFF, [1, 2]);
        Assert.Equal(0b110ul, Read(guest));
    }

    [Fact]
    public void WithManualProtectionReadingDoesNotClear()
    {
        using Guest guest = Create(out _);
        var cap = new kvm_enable_cap { cap = KvmCap.KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 };
        cap.args[0] = KvmMemory.KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE;
        guest.Vm.EnableCap(cap);
        guest.Vcpu.Run();
        guest.Vcpu.Run();
        Assert.Equal(0b1001ul, Read(guest));
        Assert.Equal(0b1001ul, Read(guest));
        guest.Vm.ClearDirtyLog(1, 0, 8, [0b1ul]);
        Assert.Equal(0b1000ul, Read(guest));
        guest.Vcpu.Run();
        Assert.Equal(0b1001ul, Read(guest));
    }

    [Fact]
    public void ALogMayStartWithEveryPageDirty()
    {
        using var guest = new Guest(Writer);
        var cap = new kvm_enable_cap { cap = KvmCap.KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 };
        cap.args[0] = KvmMemory.KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KvmMemory.KVM_DIRTY_LOG_INITIALLY_SET;
        guest.Vm.EnableCap(cap);
        guest.Vm.MapMemory(1, 0x2_0000, guest.Vm.AllocateMemory(0x8000), flags: KvmMemory.KVM_MEM_LOG_DIRTY_PAGES);
        Assert.Equal(0xFFul, Read(guest));
    }

    [Theory]
    [InlineData(1u, 1ul, 8u, Errno.EINVAL)]
    [InlineData(1u, 0ul, 4u, Errno.EINVAL)]
    [InlineData(1u, 64ul, 1u, Errno.EINVAL)]
    [InlineData(0u, 0ul, 8u, Errno.ENOENT)]
    [InlineData(9u, 0ul, 8u, Errno.ENOENT)]
    [InlineData(2u << 16, 0ul, 8u, Errno.EINVAL)]
    public void WrongRangesAndSlotsAreRefused(uint slot, ulong first, uint pages, Errno expected)
    {
        using Guest guest = Create(out _);
        Assert.Equal(expected, Assert.Throws<KvmException>(() => guest.Vm.ClearDirtyLog(slot, first, pages, new ulong[1])).Errno);
    }

    [Fact]
    public void ASlotThatMovesKeepsItsLog()
    {
        using Guest guest = Create(out GuestMemory logged);
        guest.Vcpu.Run();
        guest.Vm.MapMemory(1, 0x3_0000, logged, flags: KvmMemory.KVM_MEM_LOG_DIRTY_PAGES);
        Assert.Equal(0b1ul, Read(guest));
    }
}
