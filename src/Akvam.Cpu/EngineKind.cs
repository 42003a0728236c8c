namespace Akvam.Cpu;

/// <summary>What executes guest code. Both have the same semantics; the interpreter is the reference.</summary>
public enum EngineKind
{
    /// <summary>Calls one C# handler per instruction. Runs on every host.</summary>
    Interpreter = 0,

    /// <summary>Interprets cold code and translates hot 64-bit code to the host's own instructions. Needs an x86-64 host.</summary>
    Translator = 1,
}
