using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Integer;

/// <summary>PUSHF and POPF by mode and privilege. [APM3 PUSHF] [APM3 POPF] [APM2 10.4]</summary>
/// <remarks>Valid for the snippets it makes.</remarks>
public sealed unsafe class FlagTests
{
    private const ulong Base = Rflags.Fixed | Rflags.VM;

    [Fact]
    public void At_level_3_popf_changes_neither_iopl_nor_if()
    {
        using var m = new Snippet(GuestMode.LongUser, "9D");
        m.Flags = Rflags.Fixed | Rflags.IF;
        *(ulong*)(m.Ram + 0x7000) = Rflags.IOPL | Rflags.CF | Rflags.DF | Rflags.NT | Rflags.ID | Rflags.VIF | Rflags.VM | Rflags.RF;
        Assert.Null(m.Run());
        Assert.Equal(Rflags.Fixed | Rflags.IF | Rflags.CF | Rflags.DF | Rflags.NT | Rflags.ID, m.Flags);
    }

    [Fact]
    public void At_level_0_popf_changes_both_and_pushf_hides_rf_and_vm()
    {
        using var m = new Snippet(GuestMode.Long, "9D9C");
        *(ulong*)(m.Ram + 0x7000) = Rflags.IOPL | Rflags.IF | Rflags.OF;
        Assert.Null(m.Run());
        Assert.Equal(Rflags.Fixed | Rflags.IOPL | Rflags.IF | Rflags.OF, m.Flags);
        Assert.Null(m.Run());
        Assert.Equal(Rflags.Fixed | Rflags.IOPL | Rflags.IF | Rflags.OF, *(ulong*)(m.Ram + 0x7000));
    }

    [Theory]
    [InlineData("9C")]
    [InlineData("9D")]
    [InlineData("669C")]
    public void Virtual_8086_code_below_iopl_3_faults_without_vme(string code)
    {
        using var m = new Snippet(GuestMode.Virtual8086, code);
        m.Flags = Base;
        Assert.Equal(Vector.GP, m.Run());
        Assert.Equal(0x7000ul, m[Register.Rsp]);
    }

    [Theory]
    [InlineData("669C")]
    [InlineData("669D")]
    public void With_vme_only_16_bit_forms_work(string code)
    {
        using var m = new Snippet(GuestMode.Virtual8086, code);
        m.State->Cr4 |= Cr4.VME;
        m.Flags = Base;
        Assert.Equal(Vector.GP, m.Run());
    }

    [Fact]
    public void With_vme_pushf_shows_vif_as_if_and_iopl_3()
    {
        using var m = new Snippet(GuestMode.Virtual8086, "9C");
        m.State->Cr4 |= Cr4.VME;
        m.Flags = Base | Rflags.VIF | Rflags.CF;
        Assert.Null(m.Run());
        Assert.Equal(Rflags.Fixed | Rflags.IF | Rflags.IOPL | Rflags.CF, *(ushort*)(m.Ram + 0x6FFE));
    }

    [Fact]
    public void With_vme_popf_writes_vif_and_faults_for_a_pending_interrupt()
    {
        using var m = new Snippet(GuestMode.Virtual8086, "9D");
        m.State->Cr4 |= Cr4.VME;
        m.Flags = Base | Rflags.IF;
        *(ushort*)(m.Ram + 0x7000) = (ushort)(Rflags.IF | Rflags.ZF);
        Assert.Null(m.Run());
        Assert.Equal(Base | Rflags.IF | Rflags.VIF | Rflags.ZF, m.Flags);

        using var pending = new Snippet(GuestMode.Virtual8086, "9D");
        pending.State->Cr4 |= Cr4.VME;
        pending.Flags = Base | Rflags.VIP;
        *(ushort*)(pending.Ram + 0x7000) = (ushort)Rflags.IF;
        Assert.Equal(Vector.GP, pending.Run());
        Assert.Equal(Base | Rflags.VIP, pending.Flags);
    }
}
