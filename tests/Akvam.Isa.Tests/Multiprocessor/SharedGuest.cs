using Akvam.Cpu;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Multiprocessor;

/// <summary>Several processors over one memory, each on its own thread, in 64-bit mode at the same address; R15 is the processor's number.</summary>
/// <remarks>Valid until disposed; <see cref="RunAll"/> ends every run after a time limit.</remarks>
internal sealed unsafe class SharedGuest : IDisposable
{
    public const ulong Origin = 0xC000, Data = 0x2_0000;
    private const int Seconds = 60;
    private readonly List<Processor> _more = [];

    public SharedGuest(int processors, Action<Iced.Intel.Assembler> write, EngineKind? engine = null, CodeCacheSizes? caches = null)
    {
        M = new TestMachine(8 << 20, engine, caches);
        ModeSetup.Enter(M, GuestMode.Long, Origin);
        Assemble.Code64(Origin, write).CopyTo(M.Memory[(int)Origin..]);
        for (int n = 1; n < processors; n++)
        {
            var p = new Processor(M.Processor.Group, new TestBus(), n, caches ?? TestEngine.Caches) { Engine = M.Processor.Engine, TranslateAfter = 0 };
            Copy(M.State, p.State);
            _more.Add(p);
        }

        for (int n = 0; n < processors; n++)
        {
            All[n].State->Gpr[15] = (ulong)n;
            All[n].State->Gpr[Register.Rsp] = 0x4_0000 + (0x1000 * (ulong)(n + 1));
        }
    }

    public TestMachine M { get; }

    public Processor[] All => [M.Processor, .. _more];

    public ref T At<T>(ulong address)
        where T : unmanaged => ref *(T*)(M.Ram + address);

    private static void Copy(CpuState* from, CpuState* to)
    {
        to->Rip = from->Rip;
        to->Es = from->Es;
        to->Cs = from->Cs;
        to->Ss = from->Ss;
        to->Ds = from->Ds;
        to->Fs = from->Fs;
        to->Gs = from->Gs;
        to->Tr = from->Tr;
        (to->GdtBase, to->GdtLimit, to->IdtBase, to->IdtLimit) = (from->GdtBase, from->GdtLimit, from->IdtBase, from->IdtLimit);
        (to->Cr0, to->Cr3, to->Cr4, to->Efer, to->Xcr0) = (from->Cr0, from->Cr3, from->Cr4, from->Efer, from->Xcr0);
        ControlRegisters.Reloaded(to);
    }

    /// <summary>Runs all processors until each has executed HLT, with something else going on meanwhile; what each run ended with.</summary>
    public RunResult[] RunAll(Action<Func<bool>>? meanwhile = null)
    {
        Processor[] all = All;
        var results = new RunResult[all.Length];
        int running = all.Length;
        var failures = new Exception?[all.Length];
        Thread[] threads = [.. all.Select((p, n) => new Thread(() =>
        {
            try
            {
                results[n] = p.Run();
            }
            catch (Exception e)
            {
                failures[n] = e;
            }

            Interlocked.Decrement(ref running);
        }))];
        using var watchdog = new Timer(
            _ =>
            {
                foreach (Processor p in all)
                {
                    Processor.Post(p.State, Request.Kick);
                }
            },
            null,
            Seconds * 1000,
            1000);
        foreach (Thread t in threads)
        {
            t.Start();
        }

        meanwhile?.Invoke(() => Volatile.Read(ref running) != 0);
        foreach (Thread t in threads)
        {
            t.Join();
        }

        Assert.All(failures, Assert.Null);
        return results;
    }

    public void RunToHalt(Action<Func<bool>>? meanwhile = null) => Assert.All(RunAll(meanwhile), r => Assert.Equal(RunResult.Halted, r));

    public void Dispose()
    {
        foreach (Processor p in _more)
        {
            p.Dispose();
        }

        M.Dispose();
    }
}
