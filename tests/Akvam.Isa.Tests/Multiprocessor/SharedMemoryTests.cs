using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Akvam.Isa.Tests.Multiprocessor;

/// <summary>LOCK is atomic between processors, with direct memory, over page boundaries and on pages that hold code. [APM2 7.3.2] [SDM3 8.1]</summary>
/// <remarks>Valid for the guests it makes.</remarks>
public sealed unsafe class SharedMemoryTests
{
    private const uint Rounds = 20_000;

    public static TheoryData<ulong> Places() => [SharedGuest.Data, SharedGuest.Data + 3, SharedGuest.Data + 0xFFD, SharedGuest.Origin + 0x800];

    [Theory]
    [MemberData(nameof(Places))]
    public void Locked_counters_are_exact(ulong place)
    {
        using var g = new SharedGuest(3, c =>
        {
            Label loop = c.CreateLabel();
            c.mov(rdi, place);
            c.mov(ecx, Rounds);
            c.Label(ref loop);
            c.mov(eax, 1);
            c.@lock.xadd(__dword_ptr[rdi], eax);
            c.@lock.inc(__qword_ptr[rdi + 0x10]);
            c.@lock.sub(__word_ptr[rdi + 0x20], 1);
            c.dec(ecx);
            c.jnz(loop);
            c.hlt();
        });
        g.RunToHalt();
        Assert.Equal(3 * Rounds, g.At<uint>(place));
        Assert.Equal(3ul * Rounds, g.At<ulong>(place + 0x10));
        Assert.Equal(unchecked((ushort)-(int)(3 * Rounds)), g.At<ushort>(place + 0x20));
    }

    [Fact]
    public void Compare_and_exchange_loops_lose_nothing()
    {
        using var g = new SharedGuest(3, c =>
        {
            Label loop = c.CreateLabel(), again = c.CreateLabel(), again16 = c.CreateLabel();
            c.mov(rdi, SharedGuest.Data);
            c.mov(r14d, Rounds);
            c.Label(ref loop);
            c.mov(rax, __[rdi]);
            c.Label(ref again);
            c.lea(rbx, __[rax + 3]);
            c.@lock.cmpxchg(__qword_ptr[rdi], rbx);
            c.jnz(again);
            c.mov(rax, __[rdi + 0x20]);
            c.mov(rdx, __[rdi + 0x28]);
            c.Label(ref again16);
            c.mov(rbx, rax);
            c.mov(rcx, rdx);
            c.add(rbx, -1);
            c.adc(rcx, 0);
            c.@lock.cmpxchg16b(__[rdi + 0x20]);
            c.jnz(again16);
            c.dec(r14d);
            c.jnz(loop);
            c.hlt();
        });
        g.RunToHalt();
        Assert.Equal(9ul * Rounds, g.At<ulong>(SharedGuest.Data));

        // Each round adds 2^64 - 1 to 128 bits.
        Assert.Equal((UInt128)(3 * Rounds) * ulong.MaxValue, g.At<UInt128>(SharedGuest.Data + 0x20));
    }

    [Fact]
    public void A_spin_lock_of_bts_guards_plain_memory()
    {
        using var g = new SharedGuest(3, c =>
        {
            Label loop = c.CreateLabel(), taken = c.CreateLabel();
            c.mov(rdi, SharedGuest.Data);
            c.mov(ecx, Rounds / 10);
            c.Label(ref loop);
            c.@lock.bts(__dword_ptr[rdi + 0x40], 5);
            c.jnc(taken);
            c.pause();
            c.jmp(loop);
            c.Label(ref taken);
            c.inc(__dword_ptr[rdi]);
            c.mov(eax, __[rdi + 4]);
            c.inc(eax);
            c.mov(__[rdi + 4], eax);
            c.mov(__dword_ptr[rdi + 0x40], 0);
            c.dec(ecx);
            c.jnz(loop);
            c.hlt();
        });
        g.RunToHalt();
        Assert.Equal(3 * (Rounds / 10), g.At<uint>(SharedGuest.Data));
        Assert.Equal(3 * (Rounds / 10), g.At<uint>(SharedGuest.Data + 4));
    }

    [Fact]
    public void Xchg_hands_tokens_on_without_lock()
    {
        // Each processor swaps its own tokens into one cell: in the end every token is somewhere exactly once.
        using var g = new SharedGuest(4, c =>
        {
            Label loop = c.CreateLabel();
            c.mov(rdi, SharedGuest.Data);
            c.lea(rax, __[r15 + 1]);
            c.mov(ecx, Rounds);
            c.Label(ref loop);
            c.xchg(__[rdi], rax);
            c.dec(ecx);
            c.jnz(loop);
            c.hlt();
        });
        g.RunToHalt();
        ulong[] tokens = [g.At<ulong>(SharedGuest.Data), .. g.All.Select(p => p.State->Gpr[0])];
        Array.Sort(tokens);
        Assert.Equal([0, 1, 2, 3, 4], tokens);
    }

    [Fact]
    public void Accessed_and_dirty_bits_survive_writes_to_the_same_table()
    {
        // One processor sets a software bit of entries with LOCK OR while the others touch the pages behind them.
        const ulong Table = 0x10_0000;
        using var g = new SharedGuest(3, c =>
        {
            Label toucher = c.CreateLabel(), loop = c.CreateLabel(), page = c.CreateLabel(), table = c.CreateLabel(), entry = c.CreateLabel();
            c.test(r15, r15);
            c.jnz(toucher);
            c.mov(ecx, 60);
            c.Label(ref table);
            c.mov(rsi, Table);
            c.mov(edx, 512);
            c.Label(ref entry);
            c.@lock.xor(__qword_ptr[rsi], 0x200);
            c.add(rsi, 8);
            c.dec(edx);
            c.jnz(entry);
            c.dec(ecx);
            c.jnz(table);
            c.hlt();
            c.Label(ref toucher);
            c.mov(ecx, 20);
            c.Label(ref loop);
            c.mov(rax, cr3);
            c.mov(cr3, rax);
            c.mov(rdi, 0x4000_0000);
            c.mov(edx, 512);
            c.Label(ref page);
            c.mov(__[rdi], edx);
            c.add(rdi, 0x1000);
            c.dec(edx);
            c.jnz(page);
            c.dec(ecx);
            c.jnz(loop);
            c.hlt();
        });
        g.At<ulong>(ModeSetup.Tables + 0x1008) = 0x11_0007;
        g.At<ulong>(0x11_0000) = Table | 7;
        for (ulong n = 0; n < 512; n++)
        {
            g.At<ulong>(Table + (8 * n)) = (0x20_0000 + (n << 12)) | 7;
        }

        g.RunToHalt();
        for (ulong n = 0; n < 512; n++)
        {
            Assert.Equal((0x20_0000 + (n << 12)) | 0x67, g.At<ulong>(Table + (8 * n)));
        }
    }
}
