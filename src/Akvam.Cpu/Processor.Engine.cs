using System.Runtime.InteropServices;
using Akvam.Cpu.Diagnostics;
using Akvam.Cpu.Translator;

namespace Akvam.Cpu;

/// <remarks>Valid as long as the processor is not disposed.</remarks>
public sealed unsafe partial class Processor
{
    /// <summary><see cref="TranslateAfter"/> unless it is set.</summary>
    public const int DefaultTranslateAfter = 16;

    private TranslatorEngine? _translator;
    private EngineKind _engine;

    /// <summary>What executes guest code; may be changed while the processor stands still. A host that is not x86-64 has the interpreter only.</summary>
    /// <exception cref="PlatformNotSupportedException">The host is not x86-64.</exception>
    public EngineKind Engine
    {
        get => _engine;
        set
        {
            if (value == Engine)
            {
                return;
            }

            if (value == EngineKind.Translator && RuntimeInformation.ProcessArchitecture != Architecture.X64)
            {
                throw new PlatformNotSupportedException("The translator needs an x86-64 host.");
            }

            Blocks.Reset();
            _translator?.Dispose();
            _translator = null;
            _engine = value;
        }
    }

    /// <summary>How often the translator interprets a block before it translates it.</summary>
    public int TranslateAfter { get; set; } = DefaultTranslateAfter;

    /// <summary>The <see cref="Interpreter.Block.Heat"/> of a block that was hot before it had to make room: if it still is, it need not show that as often as another one.</summary>
    internal int HeatAfterEviction => TranslateAfter - (TranslateAfter / 4);

    /// <summary>Which instructions host code left to the interpreter, and how often; empty with the interpreter as the engine.</summary>
    public TranslatorStatistics TranslatorStatistics => _translator?.Statistics ?? new TranslatorStatistics();

    /// <summary>The translator returns to <see cref="Run"/>, and that with <see cref="RunResult.Kicked"/>, after each piece of code that it executes in one go.</summary>
    public bool StopsAfterBlock { get; set; }

    /// <summary>Hears of each piece of host code that the translator makes. Null: nobody.</summary>
    public ITranslationObserver? TranslationObserver { get; set; }

    /// <summary>What does not fit together in the code that is kept, by words for a developer; null: everything does. It looks at all of it, while the processor stands still.</summary>
    public string? FindInconsistency() => Blocks.FindInconsistency() ?? _translator?.FindInconsistency();

    internal TranslatorEngine? Translator => _translator;

    /// <summary>The translator is made when the processor runs for the first time: most processors of the largest VMs never do.</summary>
    private void PrepareEngine()
    {
        if (_engine == EngineKind.Translator && _translator == null)
        {
            _translator = new TranslatorEngine(this);
        }
    }
}
