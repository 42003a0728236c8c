using System.Runtime.InteropServices;
using Akvam.Cpu;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using PhysicalMemory = Akvam.Cpu.Memory.PhysicalMemory;

namespace Akvam.Isa.Tests.Multiprocessor;

/// <summary>Code that one processor writes and another runs, and memory slots that change meanwhile. [SDM3 8.1.3] [KVM 4.35]</summary>
/// <remarks>Valid for the guests it makes.</remarks>
public sealed unsafe class SharedCodeTests
{
    /// <summary>In one page, in two, and with nothing but its first byte in the first.</summary>
    [Theory]
    [InlineData(0x3_0000)]
    [InlineData(0x3_0FFD)]
    [InlineData(0x3_0FFF)]
    public void Code_written_by_one_runs_on_the_other_after_a_handshake(ulong function)
    {
        // 0 writes the immediate of f, publishes the round, waits for the answer; 1 waits, serializes, calls f, answers with its result.
        using var g = new SharedGuest(2, c =>
        {
            Label runner = c.CreateLabel(), write = c.CreateLabel(), wait = c.CreateLabel(), bad = c.CreateLabel();
            c.mov(rdi, SharedGuest.Data);
            c.mov(rsi, function);
            c.mov(r14d, 1);
            c.test(r15, r15);
            c.jnz(runner);
            c.Label(ref write);
            c.mov(__[rsi + 1], r14d);
            c.mov(__[rdi], r14d);
            c.Label(ref wait);
            c.pause();
            c.cmp(__[rdi + 64], r14d);
            c.jne(wait);
            c.cmp(__[rdi + 128], r14d);
            c.jne(bad);
            c.inc(r14d);
            c.cmp(r14d, 400);
            c.jne(write);
            c.hlt();
            c.Label(ref bad);
            c.mov(__dword_ptr[rdi + 192], r14d);
            c.mov(__dword_ptr[rdi + 64], -1);
            c.hlt();
            c.Label(ref runner);
            c.pause();
            c.cmp(__[rdi], r14d);
            c.jne(runner);
            c.xor(eax, eax);
            c.cpuid();
            c.call(rsi);
            c.mov(__[rdi + 128], eax);
            c.mov(__[rdi + 64], r14d);
            c.inc(r14d);
            c.cmp(r14d, 400);
            c.jne(runner);
            c.hlt();
        });
        Convert.FromHexString("B800000000C3").CopyTo(g.M.Memory[(int)function..]);
        g.RunToHalt();
        Assert.Equal(0u, g.At<uint>(SharedGuest.Data + 192));
        Assert.Equal(399u, g.At<uint>(SharedGuest.Data + 128));
    }

    [Fact]
    public void Fresh_pages_are_written_and_decoded_at_once()
    {
        // Both copy a tiny function into 200 pages and call it there, in opposite orders, while the other one writes data into the same pages.
        const ulong Pages = 0x20_0000, Source = 0x3_0000;
        using var g = new SharedGuest(3, c =>
        {
            Label loop = c.CreateLabel(), forward = c.CreateLabel();
            c.mov(rbx, Pages);
            c.mov(r12, 0x1000);
            c.test(r15, 1);
            c.jz(forward);
            c.mov(rbx, Pages + (199 * 0x1000));
            c.neg(r12);
            c.Label(ref forward);
            c.mov(r14d, 200);
            c.xor(ebp, ebp);
            c.Label(ref loop);
            c.mov(rax, r15);
            c.shl(rax, 8);
            c.lea(rdi, __[rbx + rax]);
            c.mov(rdx, rdi);
            c.mov(rsi, Source);
            c.mov(ecx, 6);
            c.rep.movsb();
            c.@lock.inc(__dword_ptr[rbx + 0x800]);
            c.mov(__[rdx + 1], r14d);
            c.call(rdx);
            c.add(rbp, rax);
            c.add(rbx, r12);
            c.dec(r14d);
            c.jnz(loop);
            c.hlt();
        });
        Convert.FromHexString("B800000000C3").CopyTo(g.M.Memory[(int)Source..]);
        g.RunToHalt();
        foreach (Processor p in g.All)
        {
            Assert.Equal(200ul * 201 / 2, p.State->Gpr[5]);
        }

        for (ulong n = 0; n < 200; n++)
        {
            Assert.Equal(3u, g.At<uint>(Pages + (n << 12) + 0x800));
        }
    }

    [Fact]
    public void Slots_come_and_go_while_all_run()
    {
        // Guests count up a cell of a page that is moved between two places of host memory, and call into fresh code all the time.
        const ulong Page = 0x1000_0000, Pages = 0x20_0000;
        using var g = new SharedGuest(3, c =>
        {
            Label loop = c.CreateLabel(), stop = c.CreateLabel();
            c.mov(rdi, Page);
            c.mov(rsi, SharedGuest.Data);
            c.mov(rbx, Pages);
            c.Label(ref loop);
            c.cmp(__dword_ptr[rsi], 0);
            c.jne(stop);
            c.mov(eax, __[rdi + r15 * 8]);
            c.@lock.inc(__qword_ptr[rsi + r15 * 8 + 64]);
            c.mov(__byte_ptr[rbx], 0xC3);
            c.call(rbx);
            c.add(rbx, 0x1001);
            c.and(rbx, 0x3F_FFFF);
            c.or(rbx, (int)Pages);
            c.jmp(loop);
            c.Label(ref stop);
            c.hlt();
        });
        byte* one = (byte*)NativeMemory.AlignedAlloc(0x2000, 4096), two = one + 0x1000;
        new Span<byte>(one, 0x2000).Fill(1);
        PhysicalMemory memory = g.M.Processor.Group.Memory;
        memory.SetSlot(0, 9, Page, 0x1000, one, false, false);
        g.RunToHalt(running =>
        {
            // At least 300 changes, and until the last thread has had its turn on a busy host.
            for (int n = 0; (n < 300 || (n < 100_000 && Enumerable.Range(0, 3).Any(cpu => Volatile.Read(ref g.At<ulong>(SharedGuest.Data + 64 + (8 * (ulong)cpu))) == 0))) && running(); n++)
            {
                memory.SetSlot(0, 9, Page, 0x1000, (n & 1) == 0 ? two : one, readOnly: (n & 2) != 0, logDirty: (n & 4) != 0);
            }

            Volatile.Write(ref g.At<uint>(SharedGuest.Data), 1);
        });
        for (ulong n = 0; n < 3; n++)
        {
            Assert.NotEqual(0ul, g.At<ulong>(SharedGuest.Data + 64 + (8 * n)));
        }

        NativeMemory.AlignedFree(one);
    }

    [Fact]
    public void The_dirty_log_misses_no_page_while_it_is_read_and_cleared()
    {
        const ulong Region = 0x1000_0000;
        const int Count = 64;
        using var g = new SharedGuest(2, c =>
        {
            Label loop = c.CreateLabel();
            c.mov(ecx, 30_000);
            c.imul(r13, r15, 0x123);
            c.Label(ref loop);
            c.imul(r13d, r13d, 1_103_515_245);
            c.add(r13d, 12_345);
            c.mov(eax, r13d);
            c.shr(eax, 20);
            c.and(eax, Count - 1);
            c.shl(eax, 12);
            c.add(rax, (int)Region);
            c.@lock.inc(__qword_ptr[rax + r15 * 8]);
            c.dec(ecx);
            c.jnz(loop);
            c.hlt();
        });
        byte* ram = (byte*)NativeMemory.AlignedAlloc(Count * 4096, 4096);
        new Span<byte>(ram, Count * 4096).Clear();
        PhysicalMemory memory = g.M.Processor.Group.Memory;
        memory.SetSlot(0, 9, Region, Count * 4096, ram, readOnly: false, logDirty: true);

        // A copy kept up from the log alone: after the last round it is the same as the memory.
        byte[] copy = new byte[Count * 4096];
        ulong[] bitmap = new ulong[1];
        void Round()
        {
            memory.CopyDirty(0, 9, bitmap, clear: true);
            for (int page = 0; page < Count; page++)
            {
                if ((bitmap[0] & (1ul << page)) != 0)
                {
                    new Span<byte>(ram + (page * 4096), 4096).CopyTo(copy.AsSpan(page * 4096));
                }
            }
        }

        g.RunToHalt(running =>
        {
            for (int n = 0; n < 100 && running(); n++)
            {
                Round();
                Thread.Yield();
            }
        });
        Round();
        Assert.True(new Span<byte>(ram, Count * 4096).SequenceEqual(copy));
        Round();
        Assert.Equal(0ul, bitmap[0]);
        NativeMemory.AlignedFree(ram);
    }
}
