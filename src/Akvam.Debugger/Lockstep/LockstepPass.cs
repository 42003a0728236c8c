using System.Diagnostics;
using Akvam.Abi;

namespace Akvam.Debugger.Lockstep;

/// <summary>Runs both machines once, from their start, in turns: the translator, then the interpreter up to the same instruction, then the comparison.</summary>
/// <remarks>
/// Time stands still during a turn and moves afterwards by the number of instructions, so both machines see the same time at each instruction, and timers become
/// due at the same one. Only turns have to be remembered to repeat a run.
/// </remarks>
internal sealed partial class LockstepPass : IDisposable
{
    /// <summary>A kick may come in the middle of a delivery, which completes no instruction; so many instructions later both machines stand before the same one.</summary>
    private const ulong Settle = 64;

    /// <summary>Instructions after which an exit that has not come does not come any more.</summary>
    private const ulong Patience = 1000;
    private const ulong NsPerExit = 1000;
    private const int MostStuck = 10_000;

    private static readonly TimeSpan s_memoryInterval = TimeSpan.FromSeconds(1);

    private readonly ICheckedMachine _reference, _subject;
    private readonly LockstepOptions _options;
    private readonly uint[] _msrs;
    private readonly IReadOnlyList<Turn>? _replay;
    private readonly List<Turn> _turns = [];
    private readonly Kicker _kicker;
    private readonly List<Difference> _found = [];
    private long _lastMemory = Stopwatch.GetTimestamp();
    private TimeSpan _memoryCost;

    /// <param name="machines">Makes a machine, ready to run.</param>
    /// <param name="options">How long and how often.</param>
    /// <param name="msrs">The MSRs that belong to the state.</param>
    /// <param name="replay">The turns of the run to repeat, or null.</param>
    public LockstepPass(Func<CheckedEngine, ICheckedMachine> machines, LockstepOptions options, uint[] msrs, IReadOnlyList<Turn>? replay = null)
    {
        _options = options;
        _msrs = msrs;
        _replay = replay;
        _reference = machines(CheckedEngine.Reference);
        _subject = machines(CheckedEngine.Subject);
        foreach (Vcpu vcpu in _reference.Vcpus.Concat(_subject.Vcpus))
        {
            vcpu.LeavesWhenIdle = true;
        }

        _kicker = new Kicker();
    }

    /// <summary>First and last turn in which every stop is looked at closely.</summary>
    public (int First, int Last) Window { get; init; } = (int.MaxValue, -1);

    /// <summary>How the turns of <see cref="Window"/> are divided.</summary>
    public StepMode Mode { get; init; }

    /// <summary>A page that is compared in <see cref="Window"/>, or null.</summary>
    public ulong? WatchedPage { get; init; }

    public IReadOnlyList<Turn> Turns => _turns;

    /// <summary>What differs; empty: nothing so far.</summary>
    public IReadOnlyList<Difference> Differences => _found;

    /// <summary>The last turn after which all memory was known to be the same.</summary>
    public int LastGoodMemory { get; private set; } = -1;

    public long Stops { get; private set; }

    public long MemoryComparisons { get; private set; }

    /// <summary>How it ended.</summary>
    public string End { get; private set; } = "";

    /// <summary>The processor that differs.</summary>
    public int DifferentVcpu { get; private set; }

    public ulong Instructions
    {
        get
        {
            ulong sum = 0;
            foreach (Vcpu vcpu in _reference.Vcpus)
            {
                sum += vcpu.InstructionCount;
            }

            return sum;
        }
    }

    private bool IsReplayed => _turns.Count >= _replay?.Count;

    private ulong? Watched => _turns.Count >= Window.First && _turns.Count <= Window.Last ? WatchedPage : null;

    public void Dispose()
    {
        _kicker.Dispose();
        _reference.Dispose();
        _subject.Dispose();
    }

    /// <summary>Runs to the end of the machines, of the replay, of what the options allow, or to a difference.</summary>
    public void Run()
    {
        while (_found.Count == 0 && !IsOver())
        {
            bool idle = true;
            for (int v = 0; v < _subject.Vcpus.Count && _found.Count == 0 && _subject.End is null && !IsReplayed; v++)
            {
                idle &= TakeTurn(v);
            }

            if (idle && _found.Count == 0 && !SkipIdleTime())
            {
                End = "all processors are halted for ever";
                break;
            }
        }

        if (_found.Count == 0)
        {
            for (int v = 0; v < _subject.Vcpus.Count; v++)
            {
                StateComparison.System(_reference.Vcpus[v], _subject.Vcpus[v], _msrs, _found);
            }

            CompareMemory();
        }
    }

    private bool IsOver()
    {
        if ((_subject.End ?? _reference.End) is { } end)
        {
            End = end;
            if (_subject.End != _reference.End)
            {
                _found.Add(new Difference("end", _reference.End ?? "none", _subject.End ?? "none"));
            }

            return true;
        }

        if (Instructions >= _options.MaximumInstructions || IsReplayed)
        {
            End = "the limit was reached";
            return true;
        }

        return false;
    }

    private bool SkipIdleTime()
    {
        if (_subject.Time.NextDeadline is not { } deadline)
        {
            return false;
        }

        Advance(deadline > _subject.Time.NowNs ? deadline - _subject.Time.NowNs : 0);
        return true;
    }

    private void Advance(ulong ns)
    {
        _reference.Time.Advance(ns);
        _subject.Time.Advance(ns);
    }

    /// <summary>Runs one processor of both machines; true when it does not do anything until something wakes it.</summary>
    private bool TakeTurn(int v)
    {
        Vcpu a = _reference.Vcpus[v], b = _subject.Vcpus[v];
        ulong before = b.InstructionCount;
        int turn = _turns.Count;
        bool closely = turn >= Window.First && turn <= Window.Last && Mode != StepMode.Whole;
        DifferentVcpu = v;
        Stops++;
        VcpuExit subject = closely ? RunClosely(a, b, _replay![turn], out VcpuExit reference) : RunOnce(a, b, out reference);
        bool isExit = subject.Reason != KvmExit.KVM_EXIT_INTR;
        _turns.Add(new Turn(b.InstructionCount, isExit));
        if (_found.Count != 0 || AddDifference(ExitComparison.Compare(reference, subject, served: false)))
        {
            return false;
        }

        bool halted = subject.Reason == KvmExit.KVM_EXIT_HLT;
        if (!isExit)
        {
            CompareAtStop(v);
        }

        // Devices answer at the time of the access.
        bool isAccess = subject.Reason is KvmExit.KVM_EXIT_IO or KvmExit.KVM_EXIT_MMIO;
        Advance(b.InstructionCount - before + (isAccess ? NsPerExit : 0));
        if (_found.Count == 0 && isExit && !halted)
        {
            _reference.Serve(v, reference);
            _subject.Serve(v, subject);
            AddDifference(ExitComparison.Compare(reference, subject, served: true));
        }

        return halted && b.InstructionCount == before;
    }

    private VcpuExit RunOnce(Vcpu a, Vcpu b, out VcpuExit reference)
    {
        VcpuExit subject = RunSubject(b);
        bool isExit = subject.Reason != KvmExit.KVM_EXIT_INTR;
        reference = RunTo(a, isExit ? b.InstructionCount + Patience : b.InstructionCount);

        if (_reference.OutputHash != _subject.OutputHash)
        {
            _found.Add(new Difference("output of devices", "", "something else"));
        }

        if (_found.Count == 0)
        {
            StateComparison.Registers(a, b, _found);
        }

        return subject;
    }

    private VcpuExit RunSubject(Vcpu b)
    {
        if (_replay is not null)
        {
            Turn turn = _replay[_turns.Count];
            return RunTo(b, turn.IsExit ? turn.End + Patience : turn.End);
        }

        if (_options.Every != 0)
        {
            return RunTo(b, b.InstructionCount + _options.Every);
        }

        _kicker.Target = b;
        VcpuExit exit = b.Run();
        _kicker.Target = null;
        return exit.Reason == KvmExit.KVM_EXIT_INTR ? RunTo(b, b.InstructionCount + Settle) : exit;
    }

    /// <summary>Runs until exactly so many instructions are completed, or an exit.</summary>
    private VcpuExit RunTo(Vcpu vcpu, ulong target)
    {
        int stuck = 0;
        while (true)
        {
            ulong before = vcpu.InstructionCount;
            VcpuExit exit = vcpu.Run(target - before);
            if (exit.Reason != KvmExit.KVM_EXIT_INTR || vcpu.InstructionCount >= target)
            {
                return exit;
            }

            stuck = vcpu.InstructionCount == before ? stuck + 1 : 0;
            if (stuck > MostStuck)
            {
                AddDifference(new Difference("progress", "", "a processor completes no instruction any more"));
                return exit;
            }
        }
    }

    private VcpuExit StepTo(Vcpu vcpu, ulong target, VcpuExit exit)
    {
        int stuck = 0;
        while (exit.Reason == KvmExit.KVM_EXIT_INTR && vcpu.InstructionCount < target && stuck < MostStuck)
        {
            ulong before = vcpu.InstructionCount;
            exit = _trail.Step(vcpu);
            stuck = vcpu.InstructionCount == before ? stuck + 1 : 0;
        }

        return exit;
    }

    private void CompareAtStop(int v)
    {
        StateComparison.System(_reference.Vcpus[v], _subject.Vcpus[v], _msrs, _found);
        if (_found.Count != 0)
        {
            return;
        }

        if (_replay is null && Stopwatch.GetElapsedTime(_lastMemory) > s_memoryInterval + (8 * _memoryCost))
        {
            CompareMemory();
        }
        else if (Watched is { } page)
        {
            AddDifference(MemoryComparison.Page(_reference, _subject, page));
        }
    }

    private void CompareMemory()
    {
        long start = Stopwatch.GetTimestamp();
        MemoryComparisons++;
        if (!AddDifference(MemoryComparison.All(_reference, _subject)))
        {
            LastGoodMemory = _turns.Count - 1;
        }

        _lastMemory = Stopwatch.GetTimestamp();
        _memoryCost = Stopwatch.GetElapsedTime(start, _lastMemory);
    }

    private bool AddDifference(Difference? difference)
    {
        if (difference is not null)
        {
            _found.Add(difference);
        }

        return difference is not null;
    }
}
